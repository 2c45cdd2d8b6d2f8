//! Functions that end in an async block, as `async_trait` generates them, or in another boxed future.

use proc_macro2::TokenStream;
use quote::quote;
use syn::visit::Visit;
use syn::{Expr, ExprAsync, ExprClosure, ExprMethodCall, ExprReturn, Ident, Item, Stmt, Token};

/// The parts of a function body that ends in a future, boxed or not.
pub(crate) struct FutureTail {
    pub(crate) before: Vec<Stmt>,
    /// The word `return` and its semicolon, if the function ends in a `return`.
    pub(crate) returns: Option<(Token![return], Option<Token![;]>)>,
    pub(crate) future: TailFuture,
    pub(crate) boxed_by: Option<BoxedBy>,
}

/// The future at the end of a function, without its box.
pub(crate) enum TailFuture {
    Block(ExprAsync),
    /// Any other expression. Only recognised inside a box.
    Expression(Expr),
}

/// The call that boxes the future.
pub(crate) enum BoxedBy {
    /// The path `Box::pin` as written.
    BoxPin(Expr),
    /// The method `boxed` or `boxed_local` of futures-util, with the dot before it.
    Method(Token![.], Ident),
}

impl FutureTail {
    /// Splits off the future. Returns `None` if the statements end in another expression, or if an earlier
    /// `return` may skip the future.
    pub(crate) fn parse(statements: Vec<Stmt>) -> Option<Self> {
        let mut before = statements;
        let last = before.pop()?;
        if returns_early(&before) {
            return None;
        }
        let (last, returns) = match last {
            Stmt::Expr(Expr::Return(last), semicolon) if last.attrs.is_empty() => {
                (*last.expr?, Some((last.return_token, semicolon)))
            }
            Stmt::Expr(last, None) => (last, None),
            _ => return None,
        };
        let (future, boxed_by) = match last {
            Expr::Async(block) => (TailFuture::Block(block), None),
            Expr::Call(mut call) if is_box_pin(&call.func) && call.args.len() == 1 => {
                let future = call.args.pop()?;
                (TailFuture::new(future), Some(BoxedBy::BoxPin(*call.func)))
            }
            Expr::MethodCall(call) if is_boxed(&call) => {
                let method = BoxedBy::Method(call.dot_token, call.method);
                (TailFuture::new(*call.receiver), Some(method))
            }
            _ => return None,
        };
        let skips = |expression: &Expr| returns_early(&[Stmt::Expr(expression.clone(), None)]);
        if matches!(&future, TailFuture::Expression(expression) if skips(expression)) {
            return None;
        }
        Some(Self {
            before,
            returns,
            future,
            boxed_by,
        })
    }

    /// Returns the body with another future, boxed as the original one, after the statements `bind`.
    pub(crate) fn with_future(&self, bind: &TokenStream, future: &TokenStream) -> TokenStream {
        let end = match &self.boxed_by {
            None => future.clone(),
            Some(BoxedBy::BoxPin(box_pin)) => quote!(#box_pin(#future)),
            Some(BoxedBy::Method(dot, method)) => quote!(#future #dot #method()),
        };
        let before = &self.before;
        match &self.returns {
            None => quote!(#(#before)* #bind #end),
            Some((word, semicolon)) => quote!(#(#before)* #bind #word #end #semicolon),
        }
    }
}

impl TailFuture {
    fn new(future: Expr) -> Self {
        match future {
            Expr::Async(block) => Self::Block(block),
            future => Self::Expression(future),
        }
    }
}

fn is_boxed(call: &ExprMethodCall) -> bool {
    (call.method == "boxed" || call.method == "boxed_local") && call.args.is_empty()
}

fn is_box_pin(function: &Expr) -> bool {
    let Expr::Path(function) = function else {
        return false;
    };
    let mut segments = function.path.segments.iter().rev();
    let mut next_is = |name| segments.next().is_some_and(|segment| segment.ident == name);
    next_is("pin") && next_is("Box")
}

/// Returns whether the statements contain a `return` that leaves the function itself.
fn returns_early(statements: &[Stmt]) -> bool {
    struct ReturnFinder(bool);
    impl Visit<'_> for ReturnFinder {
        fn visit_expr_return(&mut self, _: &ExprReturn) {
            self.0 = true;
        }
        // A `return` in these leaves the closure, block or item, not the function.
        fn visit_expr_closure(&mut self, _: &ExprClosure) {}
        fn visit_expr_async(&mut self, _: &ExprAsync) {}
        fn visit_item(&mut self, _: &Item) {}
    }
    let mut finder = ReturnFinder(false);
    for statement in statements {
        finder.visit_stmt(statement);
    }
    finder.0
}
