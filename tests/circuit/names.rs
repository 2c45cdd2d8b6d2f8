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
impl Named for () {}
impl<T> Named for (u8, T) {}
impl<T> Named for [T; 2] {}

/// Named after the closure that implements it.
trait NamedClosure {
    #[circuit(registry = registry)]
    fn provided(&self, registry: &BreakerRegistry) -> CallResult<()> {
        Ok(())
    }
}

impl<F: Fn(char)> NamedClosure for F {}

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

#[test]
fn method_of_tuple_is_named_after_whole_tuple() {
    let registry = BreakerRegistry::new();
    ().provided(&registry).expect("closed");
    (1, String::new()).provided(&registry).expect("closed");
    [String::new(), String::new()]
        .provided(&registry)
        .expect("closed");
    let of = |name: &str| format!("names::{name}::provided");
    assert_eq!(
        names(&registry),
        [of("()"), of("(u8, String)"), of("[String; 2]")]
    );
}

#[test]
fn method_of_closure_is_named_after_its_function() {
    let registry = BreakerRegistry::new();
    NamedClosure::provided(&|_: char| {}, &registry).expect("closed");
    let function = "method_of_closure_is_named_after_its_function";
    let expected = format!("names::{function}::{{{{closure}}}}::provided");
    assert_eq!(names(&registry), [expected]);
}

/// A module and functions whose default names are longer than 256 bytes.
mod a_module_with_a_name_that_is_as_long_as_no_reasonable_person_would_ever_make_it_in_a_program_of_theirs {
    pub(super) mod and_another_module_with_a_name_that_is_as_long_as_no_reasonable_person_would_make_it {
        use super::super::{BreakerRegistry, CallResult, circuit};

        #[circuit(registry = registry, failure_threshold = 1)]
        pub(in super::super) fn with_a_function_whose_name_is_also_rather_long_so_that_all_is_too_long(
            registry: &BreakerRegistry,
            ok: bool,
        ) -> CallResult<()> {
            if ok {
                Ok(())
            } else {
                Err(crate::support::Error::NoAnswer)
            }
        }

        pub(in super::super) struct Client(pub(in super::super) bool);

        impl Client {
            #[circuit(registry = registry, failure_threshold = 1)]
            pub(in super::super) fn with_a_method_whose_name_is_also_rather_long_so_that_all_is_too_long(
                &self,
                registry: &BreakerRegistry,
            ) -> CallResult<()> {
                if self.0 {
                    Ok(())
                } else {
                    Err(crate::support::Error::NoAnswer)
                }
            }
        }
    }
}

#[test]
fn too_long_default_name_is_shortened_and_guards() {
    use a_module_with_a_name_that_is_as_long_as_no_reasonable_person_would_ever_make_it_in_a_program_of_theirs::and_another_module_with_a_name_that_is_as_long_as_no_reasonable_person_would_make_it as long;
    let registry = BreakerRegistry::new();
    let call = long::with_a_function_whose_name_is_also_rather_long_so_that_all_is_too_long;
    assert!(call(&registry, false).is_err());
    assert!(call(&registry, true).is_err_and(|error| error.is_open()));
    let method = || {
        long::Client(false)
            .with_a_method_whose_name_is_also_rather_long_so_that_all_is_too_long(&registry)
    };
    assert!(method().is_err_and(|error| !error.is_open()));
    assert!(method().is_err_and(|error| error.is_open()));
    let names = names(&registry);
    assert_eq!(names.len(), 2);
    for name in names {
        assert!(
            name.len() <= 256 && name.contains("_so_that_all_is_too_long#"),
            "{name}"
        );
    }
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
