//! Runs a script on a connection.

use super::failure::of_client;
use super::source::Script;
use breakerbox_fleet::store::StoreError;
use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind, Value};

/// Runs a script by its hash. A server that does not know the hash gets the text.
pub(crate) async fn run(
    connection: &mut impl ConnectionLike,
    script: &Script,
    keys: &[&str],
    arguments: &[String],
) -> Result<Vec<String>, StoreError> {
    let by_hash = command("EVALSHA", script.hash(), keys, arguments);
    let reply = match by_hash.query_async::<Value>(connection).await {
        Err(error) if is_unknown_script(&error) => {
            let by_text = command("EVAL", script.text(), keys, arguments);
            by_text.query_async::<Value>(connection).await
        }
        reply => reply,
    };
    let reply = reply.map_err(|error| of_client(&error))?;
    let malformed = |_| StoreError::Protocol("the reply is not a list of texts".into());
    Vec::<String>::from_redis_value(reply).map_err(malformed)
}

fn command(name: &str, script: &str, keys: &[&str], arguments: &[String]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
    command
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
