//! A rule finds its type inside pointers, `BreakerError`s and chains of sources.

use crate::support::{
    AppError, BoxError, Classified, FAILURE, IGNORED, SUCCESS, Wrapper, classify_with, refused_io,
    unknown,
};
use breakerbox::{BreakerBuilder, BreakerError};
use std::error::Error;
use std::fmt::{self, Debug};
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::sync::Arc;

type Breaker<E> = BreakerError<E>;

fn expecting_io(b: BreakerBuilder) -> BreakerBuilder {
    b.expected_error::<io::Error>()
}

fn expected<E: Debug + 'static>(error: E) -> Classified {
    classify_with(expecting_io, error)
}

/// Asserts that expected, ignored and conditional rules find the `io::Error` inside `error`.
#[track_caller]
fn assert_found<E: Debug + 'static>(error: impl Fn() -> E) {
    let type_name = std::any::type_name::<E>();
    assert_eq!(expected(error()), FAILURE, "{type_name}");
    let ignoring = |b: BreakerBuilder| b.ignored_error::<io::Error>();
    assert_eq!(classify_with(ignoring, error()), IGNORED, "{type_name}");
    let kind =
        |kind| move |b: BreakerBuilder| b.expected_error_if(move |e: &io::Error| e.kind() == kind);
    let refused = classify_with(kind(ErrorKind::ConnectionRefused), error());
    assert_eq!(refused, FAILURE, "{type_name}");
    let other = classify_with(kind(ErrorKind::NotFound), error());
    assert_eq!(other, SUCCESS, "{type_name}");
}

#[test]
fn rules_look_inside_pointers() {
    assert_found(refused_io);
    assert_found(|| Box::new(refused_io()));
    assert_found(|| Arc::new(refused_io()));
    assert_found(|| Rc::new(refused_io()));
}

#[test]
fn rules_look_inside_breaker_errors() {
    assert_found(|| Breaker::Inner(refused_io()));
    assert_found(|| Breaker::Inner(Box::new(refused_io())));
    assert_found(|| Breaker::Inner(Arc::new(refused_io())));
    assert_found(|| Breaker::Inner(Breaker::Inner(refused_io())));
    assert_found(|| Breaker::Inner(Breaker::Inner(Arc::new(refused_io()))));
    assert_found(|| Breaker::Inner(Breaker::Inner(Breaker::Inner(refused_io()))));
    assert_found(|| Breaker::Inner(Breaker::Inner(Breaker::Inner(Breaker::Inner(refused_io())))));
    assert_found(|| Box::new(Breaker::Inner(refused_io())));
    assert_found(|| Arc::new(Breaker::Inner(refused_io())));
    assert_found(|| Arc::new(Breaker::Inner(Breaker::Inner(Box::new(refused_io())))));
    assert_found(|| Breaker::Inner(Arc::new(Breaker::Inner(refused_io()))));
}

#[test]
fn rules_look_inside_trait_objects() {
    assert_found(|| BoxError::from(refused_io()));
    assert_found(|| -> Box<dyn Error> { Box::new(Arc::new(refused_io())) });
    assert_found(|| -> Box<dyn Error> { Box::new(Box::new(refused_io())) });
    assert_found(|| -> Arc<dyn Error> { Arc::new(refused_io()) });
    assert_found(|| -> Rc<dyn Error> { Rc::new(refused_io()) });
    assert_found(|| BoxError::from(Breaker::Inner(refused_io())));
    assert_found(|| BoxError::from(Breaker::Inner(Arc::new(refused_io()))));
    assert_found(|| Breaker::Inner(BoxError::from(refused_io())));
    assert_found(|| Breaker::Inner(Breaker::Inner(BoxError::from(refused_io()))));
    assert_found(|| Arc::new(BoxError::from(refused_io())));
    assert_found(|| {
        BoxError::from(Wrapper {
            source: Arc::new(refused_io()).into(),
        })
    });
    assert_found(|| BoxError::from(AppError::Io(refused_io())));
}

#[cfg(feature = "anyhow")]
#[test]
fn rules_look_inside_anyhow_errors() {
    assert_found(|| anyhow::Error::from(refused_io()).context("while fetching"));
    assert_found(|| Breaker::Inner(anyhow::Error::from(refused_io())));
    assert_found(|| Arc::new(anyhow::Error::from(refused_io())));
    assert_found(|| anyhow::Error::from(Breaker::Inner(refused_io())));
    assert_found(|| anyhow::Error::from(AppError::Io(refused_io())));
}

#[test]
fn rules_look_inside_io_errors() {
    let wrapped = || io::Error::other(fmt::Error);
    let rule = |b: BreakerBuilder| b.expected_error::<fmt::Error>();
    assert_eq!(classify_with(rule, wrapped()), FAILURE);
    assert_eq!(classify_with(rule, Arc::new(wrapped())), FAILURE);
    assert_eq!(classify_with(rule, Breaker::Inner(wrapped())), FAILURE);
    assert_eq!(classify_with(rule, BoxError::from(wrapped())), FAILURE);
    assert_eq!(classify_with(rule, refused_io()), unknown::<io::Error>());
}

#[test]
fn outermost_error_of_type_decides() {
    let refused = |b: BreakerBuilder| {
        b.expected_error_if(|e: &io::Error| e.kind() == ErrorKind::ConnectionRefused)
    };
    assert_eq!(
        classify_with(refused, io::Error::other(refused_io())),
        SUCCESS
    );
}

#[test]
fn source_of_unnamed_type_is_unknown() {
    let wrapper = || Wrapper {
        source: refused_io().into(),
    };
    assert_eq!(expected(wrapper()), unknown::<Wrapper>());
    assert_eq!(
        expected(Breaker::Inner(wrapper())),
        unknown::<Breaker<Wrapper>>()
    );
    // The sources of a boxed error are searched, even if no rule names its type.
    assert_eq!(expected(BoxError::from(wrapper())), FAILURE);
}

#[test]
fn source_of_named_type_is_found() {
    let wrapper = || Wrapper {
        source: refused_io().into(),
    };
    let ignoring = |b: BreakerBuilder| expecting_io(b).ignored_error_if(|_: &Wrapper| false);
    let expecting = |b: BreakerBuilder| expecting_io(b.expected_error_if(|_: &Wrapper| false));
    for settings in [ignoring, expecting] {
        assert_eq!(classify_with(settings, wrapper()), FAILURE);
        assert_eq!(classify_with(settings, Box::new(wrapper())), FAILURE);
        assert_eq!(classify_with(settings, Arc::new(wrapper())), FAILURE);
        assert_eq!(classify_with(settings, Breaker::Inner(wrapper())), FAILURE);
        let nested = Breaker::Inner(Breaker::Inner(Box::new(wrapper())));
        assert_eq!(classify_with(settings, nested), FAILURE);
        let other = Wrapper {
            source: fmt::Error.into(),
        };
        assert_eq!(classify_with(settings, other), SUCCESS);
    }
    let app = |b: BreakerBuilder| expecting_io(b).ignored_error_if(|_: &AppError| false);
    assert_eq!(classify_with(app, AppError::Io(refused_io())), FAILURE);
}

#[test]
fn ignored_rule_finds_source() {
    let rules = |b: BreakerBuilder| b.ignored_error::<io::Error>().expected_error::<Wrapper>();
    let wrapper = Wrapper {
        source: refused_io().into(),
    };
    assert_eq!(classify_with(rules, wrapper), IGNORED);
}

#[test]
fn value_rules_look_inside_wrappers() {
    let rules = |b: BreakerBuilder| {
        b.expected_value_if(|e: &String| e.starts_with('5'))
            .ignored_value_if(|e: &String| e.starts_with('4'))
    };
    let (failure, ignored) = (|| String::from("503"), || String::from("404"));
    assert_eq!(classify_with(rules, Box::new(failure())), FAILURE);
    assert_eq!(classify_with(rules, Arc::new(failure())), FAILURE);
    assert_eq!(classify_with(rules, Rc::new(ignored())), IGNORED);
    assert_eq!(classify_with(rules, Breaker::Inner(failure())), FAILURE);
    assert_eq!(classify_with(rules, Breaker::Inner(ignored())), IGNORED);
    assert_eq!(
        classify_with(rules, Breaker::Inner(Arc::new(ignored()))),
        IGNORED
    );
    let nested = Breaker::Inner(Breaker::Inner(Box::new(failure())));
    assert_eq!(classify_with(rules, nested), FAILURE);
    assert_eq!(
        classify_with(rules, Breaker::Inner(String::from("302"))),
        SUCCESS
    );
    assert_eq!(
        classify_with(rules, Breaker::Inner(7)),
        unknown::<Breaker<i32>>()
    );
}

#[test]
fn rules_can_name_wrapper_types() {
    let shared = |b: BreakerBuilder| b.expected_value_if(|_: &Arc<str>| true);
    assert_eq!(classify_with(shared, Arc::<str>::from("down")), FAILURE);
    assert_eq!(
        classify_with(shared, Breaker::Inner(Arc::<str>::from("down"))),
        FAILURE
    );
    let breaker = |b: BreakerBuilder| b.expected_error::<Breaker<io::Error>>();
    assert_eq!(
        classify_with(breaker, Breaker::Inner(refused_io())),
        FAILURE
    );
    let boxed = || BoxError::from(Breaker::Inner(refused_io()));
    assert_eq!(classify_with(breaker, boxed()), FAILURE);
    assert_eq!(
        classify_with(breaker, Box::new(Breaker::Inner(refused_io()))),
        FAILURE
    );
}

#[test]
fn endless_source_chain_ends() {
    #[derive(Debug)]
    struct Endless;
    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("endless")
        }
    }
    impl Error for Endless {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }
    assert_eq!(expected(BoxError::from(Endless)), unknown::<BoxError>());
    let naming = |b: BreakerBuilder| expecting_io(b).ignored_error_if(|_: &Endless| false);
    assert_eq!(classify_with(naming, Endless), SUCCESS);
}
