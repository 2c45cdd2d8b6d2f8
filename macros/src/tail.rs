//! The async block at the end of a function, as `async_trait` leaves them.

use syn::visit::Visit;
use syn::{Expr, ExprAsync, ExprClosure, ExprReturn, Item, Stmt};

/// The async block at the end of a function, boxed or not.
pub(crate) struct AsyncTail {
    pub(crate) before: Vec<Stmt>,
    pub(crate) block: ExprAsync,
    /// `Box::pin`, as it was written.
    pub(crate) boxed: Option<Expr>,
}

impl AsyncTail {
    /// `None` where the statements end in something else, or may end before.
    pub(crate) fn of(statements: Vec<Stmt>) -> Option<Self> {
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
                    boxed: None,
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
            boxed: Some(*call.func),
        })
    }
}

fn is_box_pin(function: &Expr) -> bool {
    let Expr::Path(function) = function else {
        return false;
    };
    let mut names = function.path.segments.iter().rev();
    let mut is = |name| names.next().is_some_and(|segment| segment.ident == name);
    is("pin") && is("Box")
}

fn returns_early(statements: &[Stmt]) -> bool {
    struct Returns(bool);
    impl Visit<'_> for Returns {
        fn visit_expr_return(&mut self, _: &ExprReturn) {
            self.0 = true;
        }
        fn visit_expr_closure(&mut self, _: &ExprClosure) {}
        fn visit_expr_async(&mut self, _: &ExprAsync) {}
        fn visit_item(&mut self, _: &Item) {}
    }
    let mut returns = Returns(false);
    for statement in statements {
        returns.visit_stmt(statement);
    }
    returns.0
}
