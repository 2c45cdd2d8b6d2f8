//! Items that `#[circuit]` cannot guard.

use breakerbox::{BreakerError, circuit};

type Answer = Result<(), BreakerError>;

#[circuit]
unsafe fn unsafe_function() -> Answer { Ok(()) }

#[circuit]
extern "C" fn extern_function() -> Answer { Ok(()) }

#[circuit]
const fn const_function() -> Answer { Ok(()) }

#[circuit]
fn returns_nothing() {}

#[circuit]
fn never_returns() -> ! { panic!() }

#[circuit]
fn boxed_elsewhere() -> std::pin::Pin<Box<dyn Future<Output = Answer>>> {
    let boxed = Box::pin(async { Ok(()) });
    boxed
}

#[circuit]
fn leaves_early(early: bool) -> std::pin::Pin<Box<dyn Future<Output = Answer>>> {
    if early {
        return Box::pin(async { Ok(()) });
    }
    Box::pin(async { Ok(()) })
}

#[circuit]
#[track_caller]
fn needs_the_caller() -> Answer { Ok(()) }

#[track_caller]
#[circuit]
fn needs_the_caller_first() -> Answer { Ok(()) }

#[circuit]
struct Client;

#[circuit]
impl Client {
    fn get() -> Answer { Ok(()) }
}

trait Api {
    #[circuit]
    async fn get(&self) -> Answer;
}

#[circuit]
trait Other {}

#[circuit]
mod module {}

fn main() {}
