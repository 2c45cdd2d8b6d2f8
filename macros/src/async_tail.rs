//! Functions whose last expression is an async block, as `async_trait` generates them.

use syn::visit::Visit;
use syn::{Expr, ExprAsync, ExprClosure, ExprReturn, Item, Stmt};

/// The parts of a function body that ends in an async block, boxed or not.
pub(crate) struct AsyncTail {
    pub(crate) before: Vec<Stmt>,
    pub(crate) block: ExprAsync,
    /// The path `Box::pin` as written, if the block is its argument.
    pub(crate) box_pin: Option<Expr>,
}

impl AsyncTail {
    /// Splits off the async block. Returns `None` if the statements end in another expression, or if a
    /// `return` may skip the block.
    pub(crate) fn parse(statements: Vec<Stmt>) -> Option<Self> {
        let mut before = statements;
        let Some(Stmt::Expr(last, None)) = before.pop() else {
            return None;
        };
        if returns_early(&before) {
            return None;
        }
        let mut call = match last {
            Expr::Async(block) => {
                return Some(Self {
                    before,
                    block,
                    box_pin: None,
                });
            }
            Expr::Call(call) => call,
            _ => return None,
        };
        let (Expr::Async(block), true) = (call.args.pop()?, call.args.is_empty()) else {
            return None;
        };
        is_box_pin(&call.func).then_some(Self {
            before,
            block,
            box_pin: Some(*call.func),
        })
    }
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
