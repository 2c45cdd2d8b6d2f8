//! Maps errors of a server to [`StoreError`].

use breakerbox_fleet::store::StoreError;
use redis::{ErrorKind, RedisError};

/// The longest text of an error, in characters.
const MAX_TEXT: usize = 256;

/// Returns what an error of a server means, by its code.
pub fn failure(code: &str, text: String) -> StoreError {
    match code {
        "READONLY" | "OOM" | "LOADING" | "MASTERDOWN" | "MISCONF" | "NOREPLICAS"
        | "CLUSTERDOWN" => StoreError::ReadOnly(text),
        "NOPERM" | "NOAUTH" | "WRONGPASS" => StoreError::Denied(text),
        // The address is that of another node, or a script of another client runs too long.
        "MOVED" | "ASK" | "TRYAGAIN" | "BUSY" => StoreError::Disconnected(text),
        _ => StoreError::Protocol(text),
    }
}

/// Returns what an error of the client means.
pub(crate) fn of_client(error: &RedisError) -> StoreError {
    if error.is_timeout() {
        return StoreError::TimedOut;
    }
    // Some texts have several lines, and events are lines of a log.
    let text = error.to_string();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().take(MAX_TEXT).collect();
    match error.kind() {
        ErrorKind::AuthenticationFailed => StoreError::Denied(text),
        ErrorKind::RESP3NotSupported => StoreError::Resp3Required,
        ErrorKind::Server(_) | ErrorKind::Extension => {
            let code = error.code().unwrap_or_default();
            if text.contains("Error running script") {
                // Redis 6 gives all errors inside a script the code `ERR`.
                let code = code_of(&text).unwrap_or_default().to_owned();
                return failure(&code, text);
            }
            failure(code, text)
        }
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => StoreError::Protocol(text),
        _ => StoreError::Disconnected(text),
    }
}

/// Returns what an error means that occurred while the connection was made.
pub(crate) fn of_handshake(error: &RedisError) -> StoreError {
    let is_unknown = |detail: &str| {
        let detail = detail.to_ascii_lowercase();
        detail.contains("unknown command") && detail.contains("hello")
    };
    // A server without RESP3 does not know `HELLO`, or does not know the version 3.
    if error.code() == Some("NOPROTO") || error.detail().is_some_and(is_unknown) {
        return StoreError::Resp3Required;
    }
    of_client(error)
}

/// Returns the error that ends the connection, if the server refused a write for a reason for which
/// another server may be the right one.
///
/// `reason` is the text of an error inside a script. A full server, for example, is still the right one.
/// A primary that has lost its replicas may have been replaced by one of them.
pub(crate) fn of_refused_write(reason: &str) -> Option<StoreError> {
    let code = code_of(reason)?;
    let is_wrong_server = matches!(
        code,
        "READONLY" | "LOADING" | "MASTERDOWN" | "MOVED" | "NOREPLICAS"
    );
    is_wrong_server.then(|| failure(code, reason.to_owned()))
}

/// Returns the code of an error. Servers before Redis 7 put the line of the script before the code:
/// `@user_script: 12: -READONLY …`.
fn code_of(reason: &str) -> Option<&str> {
    let is_code =
        |word: &&str| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    let mut words = reason.split(' ').map(|word| word.trim_start_matches('-'));
    words.find(is_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_code_selects_the_store_error() {
        let of = |code| failure(code, String::new());
        for code in ["READONLY", "OOM", "LOADING", "MISCONF"] {
            assert_eq!(of(code), StoreError::ReadOnly(String::new()), "{code}");
        }
        assert_eq!(of("NOPERM"), StoreError::Denied(String::new()));
        assert_eq!(of("MOVED"), StoreError::Disconnected(String::new()));
        for code in ["WRONGTYPE", "BB1", "ERR", ""] {
            assert_eq!(of(code), StoreError::Protocol(String::new()), "{code}");
        }
    }

    #[test]
    fn refused_write_of_wrong_server_ends_connection() {
        for reason in [
            "READONLY You can't write against a read only replica. script: 1, on @user_script:9.",
            "@user_script: 12: -READONLY You can't write against a read only replica.",
            "LOADING Redis is loading the dataset in memory",
            "NOREPLICAS Not enough good replicas to write.",
        ] {
            let error = of_refused_write(reason);
            assert_eq!(error, Some(StoreError::ReadOnly(reason.to_owned())));
        }
        let moved = of_refused_write("MOVED 3999 127.0.0.1:6381");
        assert!(matches!(moved, Some(StoreError::Disconnected(_))));
        for reason in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "BB1 x",
            "",
        ] {
            assert_eq!(of_refused_write(reason), None, "{reason}");
        }
    }

    #[test]
    fn error_inside_a_script_has_its_own_code() {
        let of = |text: &str| {
            let value = redis::parse_redis_value(text.as_bytes()).unwrap();
            of_client(&value.extract_error().unwrap_err())
        };
        let of_redis_6 = of(
            "-ERR Error running script (call to f_b40c): @user_script:274: \
             @user_script: 274: -OOM command not allowed when used memory > 'maxmemory'.\r\n",
        );
        assert!(
            matches!(of_redis_6, StoreError::ReadOnly(_)),
            "{of_redis_6:?}"
        );
        let of_redis_7 = of("-OOM command not allowed, on @user_script:274.\r\n");
        assert!(
            matches!(of_redis_7, StoreError::ReadOnly(_)),
            "{of_redis_7:?}"
        );
        let other = of("-ERR Error running script (call to f_b40c): user_script:9: oh\r\n");
        assert!(matches!(other, StoreError::Protocol(_)), "{other:?}");
    }

    #[test]
    fn text_of_error_is_one_line() {
        let error = redis::parse_redis_value(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
        assert!(error.to_string().contains('\n'), "{error}");
        let StoreError::Protocol(text) = of_client(&error) else {
            panic!("{error:?}");
        };
        assert!(!text.is_empty() && !text.contains('\n'), "{text}");
    }

    #[test]
    fn server_without_resp3_is_told_apart() {
        let error = |code: &'static str, detail: &str| {
            let text = format!("-{code} {detail}\r\n");
            let value = redis::parse_redis_value(text.as_bytes()).unwrap();
            of_handshake(&value.extract_error().unwrap_err())
        };
        for detail in [
            "unknown command 'HELLO', with args",
            "unknown command `hello`",
        ] {
            assert_eq!(error("ERR", detail), StoreError::Resp3Required);
        }
        assert_eq!(error("NOPROTO", "unsupported"), StoreError::Resp3Required);
        let denied = error("WRONGPASS", "invalid username-password pair");
        assert!(matches!(denied, StoreError::Denied(_)), "{denied:?}");
        let other = error("ERR", "max number of clients reached");
        assert!(matches!(other, StoreError::Protocol(_)), "{other:?}");
    }
}
