//! Default names of circuits, and names from expressions.

use crate::support::{CallResult, expect_ready};
use breakerbox::prelude::*;

#[circuit(registry = registry)]
pub(crate) fn fetch(registry: &BreakerRegistry) -> CallResult<()> {
    Ok(())
}

#[circuit(registry = registry)]
fn r#type(registry: &BreakerRegistry) -> CallResult<()> {
    Ok(())
}

mod users {
    use super::*;

    pub(super) struct Client<T>(pub(super) T);

    impl<T> Client<T> {
        #[circuit(registry = registry)]
        pub(super) fn get(&self, registry: &BreakerRegistry) -> CallResult<&T> {
            Ok(&self.0)
        }

        #[circuit(registry = registry)]
        pub(super) fn of_self(registry: &BreakerRegistry) -> CallResult<()> {
            let _: Option<Self> = None;
            assert!(registry.all_closed());
            Ok(())
        }

        #[circuit(registry = registry)]
        pub(super) fn looks_free(registry: &BreakerRegistry) -> CallResult<()> {
            Ok(())
        }
    }
}

trait Named {
    #[circuit(registry = registry)]
    fn provided(&self, registry: &BreakerRegistry) -> CallResult<()> {
        Ok(())
    }
}

impl Named for str {}
impl<T> Named for Vec<T> {}
impl<T> Named for &T {}
impl Named for dyn Fn(u8) + Send {}

#[circuit(registry = registry)]
fn with_its_own_self(registry: &BreakerRegistry) -> CallResult<()> {
    struct Inner;
    impl Inner {
        fn new() -> Self {
            Self
        }
    }
    let Inner = Inner::new();
    Ok(())
}

fn names(registry: &BreakerRegistry) -> Vec<String> {
    registry
        .iter()
        .map(|breaker| breaker.name().to_owned())
        .collect()
}

#[test]
fn default_name_omits_crate_and_generics() {
    let registry = BreakerRegistry::new();
    fetch(&registry).expect("closed");
    r#type(&registry).expect("closed");
    users::Client(1).get(&registry).expect("closed");
    users::Client("x").get(&registry).expect("closed");
    users::Client::<u8>::of_self(&registry).expect("closed");
    users::Client::<u8>::looks_free(&registry).expect("closed");
    with_its_own_self(&registry).expect("closed");
    let expected = [
        "names::fetch",
        "names::type",
        "names::users::Client::get",
        "names::users::Client::of_self",
        "names::users::looks_free",
        "names::with_its_own_self",
    ];
    assert_eq!(names(&registry), expected);
}

#[test]
fn trait_method_is_named_after_implementing_type() {
    let registry = BreakerRegistry::new();
    "x".provided(&registry).expect("closed");
    vec![1].provided(&registry).expect("closed");
    vec!["x"].provided(&registry).expect("closed");
    (&1).provided(&registry).expect("closed");
    let closure: Box<dyn Fn(u8) + Send> = Box::new(|_| {});
    (*closure).provided(&registry).expect("closed");
    let of = |name: &str| format!("names::{name}::provided");
    let expected = [of("Fn(u8)"), of("Vec"), of("i32"), of("str")];
    assert_eq!(names(&registry), expected);
}

#[circuit(name = format!("tenant:{tenant}"), registry = registry)]
async fn by_tenant(registry: &BreakerRegistry, tenant: u32) -> CallResult<()> {
    Ok(())
}

const CONSTANT: &str = "constant";

#[circuit(name = CONSTANT, registry = registry)]
fn by_constant(registry: &BreakerRegistry) -> CallResult<()> {
    Ok(())
}

#[test]
fn name_expression_is_evaluated_at_each_call() {
    let registry = BreakerRegistry::new();
    for tenant in (0..9).chain(0..9) {
        expect_ready(by_tenant(&registry, tenant)).expect("closed");
    }
    by_constant(&registry).expect("closed");
    assert_eq!(registry.len(), 10);
    for tenant in 0..9 {
        let breaker = registry
            .get(format!("tenant:{tenant}"))
            .expect("the breaker exists");
        assert_eq!(breaker.snapshot().totals.success, Some(2));
    }
    registry.get("tenant:8").expect("the breaker exists").trip();
    assert!(expect_ready(by_tenant(&registry, 8)).is_err());
    assert!(expect_ready(by_tenant(&registry, 7)).is_ok());
    assert!(registry.get(CONSTANT).is_some());
}
