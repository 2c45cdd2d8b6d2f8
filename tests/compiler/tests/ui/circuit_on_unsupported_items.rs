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
fn boxed_twice() -> std::pin::Pin<Box<dyn Future<Output = Answer>>> {
    let future = async { Ok(()) };
    Box::pin(future)
}

#[circuit]
fn leaves_early(early: bool) -> std::pin::Pin<Box<dyn Future<Output = Answer>>> {
    if early {
        return Box::pin(async { Ok(()) });
    }
    Box::pin(async { Ok(()) })
}

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
