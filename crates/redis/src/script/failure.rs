//! Maps errors of a server to [`StoreError`].

use breakerbox_fleet::store::StoreError;
use redis::{ErrorKind, RedisError};

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
    match error.kind() {
        ErrorKind::AuthenticationFailed => StoreError::Denied(error.to_string()),
        ErrorKind::Server(_) | ErrorKind::Extension => {
            failure(error.code().unwrap_or_default(), error.to_string())
        }
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
            StoreError::Protocol(error.to_string())
        }
        _ => StoreError::Disconnected(error.to_string()),
    }
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
}
