//! Routes: what a path and a method ask for.

use http::Method;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Page,
    Breakers,
    Breaker,
    Stream,
    Events,
    Health,
    Commands,
}

/// Why there is no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    Path,
    /// The methods that the path has.
    Method(&'static str),
}

impl Route {
    /// Finds the route of a path below the mount. A trailing slash makes no difference.
    pub(crate) fn of(method: &Method, path: &str) -> Result<Self, NoRoute> {
        let route = match path.strip_suffix('/').unwrap_or(path) {
            "" => Self::Page,
            "/api/v1/breakers" => Self::Breakers,
            "/api/v1/breaker" => Self::Breaker,
            "/api/v1/stream" => Self::Stream,
            "/api/v1/events" => Self::Events,
            "/api/v1/health" => Self::Health,
            "/api/v1/commands" => Self::Commands,
            _ => return Err(NoRoute::Path),
        };
        let (is_allowed, allowed) = match route {
            Self::Commands => (method == Method::POST, "POST"),
            Self::Stream => (method == Method::GET, "GET"),
            _ => (method == Method::GET || method == Method::HEAD, "GET, HEAD"),
        };
        if is_allowed {
            Ok(route)
        } else {
            Err(NoRoute::Method(allowed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_have_post() {
        let get = |path| Route::of(&Method::GET, path);
        assert_eq!(get("/"), Ok(Route::Page));
        assert_eq!(get(""), Ok(Route::Page));
        assert_eq!(get("/api/v1/breakers/"), Ok(Route::Breakers));
        assert_eq!(get("//"), Err(NoRoute::Path));
        assert_eq!(get("/api/v2/breakers"), Err(NoRoute::Path));
        assert_eq!(get("/api/v1/commands"), Err(NoRoute::Method("POST")));
        assert_eq!(
            Route::of(&Method::POST, "/api/v1/commands"),
            Ok(Route::Commands)
        );
        for path in ["/", "/api/v1/breakers", "/api/v1/health", "/api/v1/stream"] {
            for method in [
                Method::POST,
                Method::PUT,
                Method::DELETE,
                Method::OPTIONS,
                Method::PATCH,
            ] {
                assert!(
                    matches!(Route::of(&method, path), Err(NoRoute::Method(_))),
                    "{method} {path}"
                );
            }
        }
        let options = Route::of(&Method::OPTIONS, "/api/v1/commands");
        assert_eq!(options, Err(NoRoute::Method("POST")));
    }
}
