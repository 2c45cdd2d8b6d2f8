//! A rule finds its type inside pointers, `BreakerError`s and chains of sources.

use crate::support::{
    AppError, BoxError, FAILURE, IGNORED, Judged, SUCCESS, Wrapper, judged_by, refused_io, unknown,
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

fn expected<E: Debug + 'static>(error: E) -> Judged {
    judged_by(expecting_io, error)
}

/// Found by expected, ignored and conditional rules alike.
#[track_caller]
fn assert_found<E: Debug + 'static>(error: impl Fn() -> E) {
    let carrier = std::any::type_name::<E>();
    assert_eq!(expected(error()), FAILURE, "{carrier}");
    let ignoring = |b: BreakerBuilder| b.ignored_error::<io::Error>();
    assert_eq!(judged_by(ignoring, error()), IGNORED, "{carrier}");
    let kind =
        |kind| move |b: BreakerBuilder| b.expected_error_if(move |e: &io::Error| e.kind() == kind);
    let refused = judged_by(kind(ErrorKind::ConnectionRefused), error());
    assert_eq!(refused, FAILURE, "{carrier}");
    let other = judged_by(kind(ErrorKind::NotFound), error());
    assert_eq!(other, SUCCESS, "{carrier}");
}

#[test]
fn pointers_are_looked_through() {
    assert_found(refused_io);
    assert_found(|| Box::new(refused_io()));
    assert_found(|| Arc::new(refused_io()));
    assert_found(|| Rc::new(refused_io()));
}

#[test]
fn breaker_errors_are_looked_through() {
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
fn carriers_are_looked_through() {
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
fn anyhow_is_looked_through() {
    assert_found(|| anyhow::Error::from(refused_io()).context("while fetching"));
    assert_found(|| Breaker::Inner(anyhow::Error::from(refused_io())));
    assert_found(|| Arc::new(anyhow::Error::from(refused_io())));
    assert_found(|| anyhow::Error::from(Breaker::Inner(refused_io())));
    assert_found(|| anyhow::Error::from(AppError::Io(refused_io())));
}

#[test]
fn payload_of_io_error_is_looked_at() {
    let wrapped = || io::Error::other(fmt::Error);
    let rule = |b: BreakerBuilder| b.expected_error::<fmt::Error>();
    assert_eq!(judged_by(rule, wrapped()), FAILURE);
    assert_eq!(judged_by(rule, Arc::new(wrapped())), FAILURE);
    assert_eq!(judged_by(rule, Breaker::Inner(wrapped())), FAILURE);
    assert_eq!(judged_by(rule, BoxError::from(wrapped())), FAILURE);
    assert_eq!(judged_by(rule, refused_io()), unknown::<io::Error>());
}

#[test]
fn outermost_error_of_a_type_decides() {
    let refused = |b: BreakerBuilder| {
        b.expected_error_if(|e: &io::Error| e.kind() == ErrorKind::ConnectionRefused)
    };
    assert_eq!(judged_by(refused, io::Error::other(refused_io())), SUCCESS);
}

#[test]
fn source_of_a_type_that_no_rule_names_is_unknown() {
    let wrapper = || Wrapper {
        source: refused_io().into(),
    };
    assert_eq!(expected(wrapper()), unknown::<Wrapper>());
    assert_eq!(
        expected(Breaker::Inner(wrapper())),
        unknown::<Breaker<Wrapper>>()
    );
    // Nothing is lost behind a carrier.
    assert_eq!(expected(BoxError::from(wrapper())), FAILURE);
}

#[test]
fn source_of_a_type_that_a_rule_names_is_found() {
    let wrapper = || Wrapper {
        source: refused_io().into(),
    };
    let ignoring = |b: BreakerBuilder| expecting_io(b).ignored_error_if(|_: &Wrapper| false);
    let expecting = |b: BreakerBuilder| expecting_io(b.expected_error_if(|_: &Wrapper| false));
    for settings in [ignoring, expecting] {
        assert_eq!(judged_by(settings, wrapper()), FAILURE);
        assert_eq!(judged_by(settings, Box::new(wrapper())), FAILURE);
        assert_eq!(judged_by(settings, Arc::new(wrapper())), FAILURE);
        assert_eq!(judged_by(settings, Breaker::Inner(wrapper())), FAILURE);
        let nested = Breaker::Inner(Breaker::Inner(Box::new(wrapper())));
        assert_eq!(judged_by(settings, nested), FAILURE);
        let other = Wrapper {
            source: fmt::Error.into(),
        };
        assert_eq!(judged_by(settings, other), SUCCESS);
    }
    let app = |b: BreakerBuilder| expecting_io(b).ignored_error_if(|_: &AppError| false);
    assert_eq!(judged_by(app, AppError::Io(refused_io())), FAILURE);
}

#[test]
fn ignored_rule_finds_a_source() {
    let rules = |b: BreakerBuilder| b.ignored_error::<io::Error>().expected_error::<Wrapper>();
    let wrapper = Wrapper {
        source: refused_io().into(),
    };
    assert_eq!(judged_by(rules, wrapper), IGNORED);
}

#[test]
fn values_are_found_by_type() {
    let rules = |b: BreakerBuilder| {
        b.expected_value_if(|e: &String| e.starts_with('5'))
            .ignored_value_if(|e: &String| e.starts_with('4'))
    };
    let (failure, ignored) = (|| String::from("503"), || String::from("404"));
    assert_eq!(judged_by(rules, Box::new(failure())), FAILURE);
    assert_eq!(judged_by(rules, Arc::new(failure())), FAILURE);
    assert_eq!(judged_by(rules, Rc::new(ignored())), IGNORED);
    assert_eq!(judged_by(rules, Breaker::Inner(failure())), FAILURE);
    assert_eq!(judged_by(rules, Breaker::Inner(ignored())), IGNORED);
    assert_eq!(
        judged_by(rules, Breaker::Inner(Arc::new(ignored()))),
        IGNORED
    );
    let nested = Breaker::Inner(Breaker::Inner(Box::new(failure())));
    assert_eq!(judged_by(rules, nested), FAILURE);
    assert_eq!(
        judged_by(rules, Breaker::Inner(String::from("302"))),
        SUCCESS
    );
    assert_eq!(
        judged_by(rules, Breaker::Inner(7)),
        unknown::<Breaker<i32>>()
    );
}

#[test]
fn rules_may_name_a_wrapped_type() {
    let shared = |b: BreakerBuilder| b.expected_value_if(|_: &Arc<str>| true);
    assert_eq!(judged_by(shared, Arc::<str>::from("down")), FAILURE);
    assert_eq!(
        judged_by(shared, Breaker::Inner(Arc::<str>::from("down"))),
        FAILURE
    );
    let breaker = |b: BreakerBuilder| b.expected_error::<Breaker<io::Error>>();
    assert_eq!(judged_by(breaker, Breaker::Inner(refused_io())), FAILURE);
    let boxed = || BoxError::from(Breaker::Inner(refused_io()));
    assert_eq!(judged_by(breaker, boxed()), FAILURE);
    assert_eq!(
        judged_by(breaker, Box::new(Breaker::Inner(refused_io()))),
        FAILURE
    );
}

#[test]
fn endless_chain_ends() {
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
    assert_eq!(judged_by(naming, Endless), SUCCESS);
}
