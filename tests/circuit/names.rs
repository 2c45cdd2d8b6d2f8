//! What a circuit is called that was given no name.

use crate::support::{Answer, now};
use breakerbox::prelude::*;

#[circuit(registry = registry)]
pub(crate) fn fetch(registry: &BreakerRegistry) -> Answer<()> {
    Ok(())
}

#[circuit(registry = registry)]
fn r#type(registry: &BreakerRegistry) -> Answer<()> {
    Ok(())
}

mod users {
    use super::*;

    pub(super) struct Client<T>(pub(super) T);

    impl<T> Client<T> {
        #[circuit(registry = registry)]
        pub(super) fn get(&self, registry: &BreakerRegistry) -> Answer<&T> {
            Ok(&self.0)
        }

        #[circuit(registry = registry)]
        pub(super) fn of_self(registry: &BreakerRegistry) -> Answer<()> {
            let _: Option<Self> = None;
            assert!(registry.all_closed());
            Ok(())
        }

        #[circuit(registry = registry)]
        pub(super) fn looks_free(registry: &BreakerRegistry) -> Answer<()> {
            Ok(())
        }
    }
}

trait Named {
    #[circuit(registry = registry)]
    fn provided(&self, registry: &BreakerRegistry) -> Answer<()> {
        Ok(())
    }
}

impl Named for str {}
impl<T> Named for Vec<T> {}
impl<T> Named for &T {}
impl Named for dyn Fn(u8) + Send {}

#[circuit(registry = registry)]
fn with_its_own_self(registry: &BreakerRegistry) -> Answer<()> {
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
fn a_name_is_short() {
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
fn a_method_of_a_trait_is_named_after_each_type() {
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
async fn by_tenant(registry: &BreakerRegistry, tenant: u32) -> Answer<()> {
    Ok(())
}

const CONSTANT: &str = "constant";

#[circuit(name = CONSTANT, registry = registry)]
fn by_constant(registry: &BreakerRegistry) -> Answer<()> {
    Ok(())
}

#[test]
fn a_name_may_be_made_at_each_call() {
    let registry = BreakerRegistry::new();
    for tenant in (0..9).chain(0..9) {
        now(by_tenant(&registry, tenant)).expect("closed");
    }
    by_constant(&registry).expect("closed");
    assert_eq!(registry.len(), 10);
    for tenant in 0..9 {
        let breaker = registry
            .get(format!("tenant:{tenant}"))
            .expect("it is there");
        assert_eq!(breaker.snapshot().totals.success, Some(2));
    }
    registry.get("tenant:8").expect("it is there").trip();
    assert!(now(by_tenant(&registry, 8)).is_err());
    assert!(now(by_tenant(&registry, 7)).is_ok());
    assert!(registry.get(CONSTANT).is_some());
}
