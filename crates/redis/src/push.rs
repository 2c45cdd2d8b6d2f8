//! Passes the messages of a connection to the fleet.

use breakerbox_fleet::protocol::Message;
use breakerbox_fleet::store::{NewsSender, StoreError};
use redis::{FromRedisValue, PushInfo, PushKind, Value};

/// Passes one push message of the server to the fleet, without waiting.
///
/// Messages that are malformed become a gap, after which the fleet pulls.
pub(crate) fn forward(push: PushInfo, channel: &str, news: &NewsSender) {
    match push.kind {
        PushKind::Message => match payload(push.data, channel) {
            Some(Ok(message)) => {
                // A fleet that has given the connection up drops the connection as well.
                news.tell(message);
            }
            Some(Err(Malformed)) => news.gap(),
            None => {}
        },
        PushKind::Disconnection => {
            news.end(StoreError::Disconnected("the connection was closed".into()));
        }
        PushKind::Unsubscribe | PushKind::SUnsubscribe => {
            let why = "the server ended the subscription";
            news.end(StoreError::Disconnected(why.into()));
        }
        _ => {}
    }
}

struct Malformed;

/// Returns the message, or `None` if the message is one of another channel.
fn payload(data: Vec<Value>, channel: &str) -> Option<Result<Message, Malformed>> {
    let mut data = data.into_iter();
    let told = data
        .next()
        .and_then(|name| String::from_redis_value(name).ok());
    if told.as_deref() != Some(channel) {
        return None;
    }
    let text = data
        .next()
        .and_then(|text| String::from_redis_value(text).ok());
    let message = text.and_then(|text| Message::parse(&text).ok());
    Some(message.ok_or(Malformed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use breakerbox_fleet::store::{Item, news};

    const CHANNEL: &str = "bb1:{default}";
    const GENUINE: &[u8] = b"bb1 4 9 web-1\nusers-api 8 o 30000 0 web-1 rate 0";

    fn push(kind: PushKind, data: &[&[u8]]) -> PushInfo {
        let data = data.iter().map(|bytes| Value::BulkString(bytes.to_vec()));
        PushInfo {
            kind,
            data: data.collect(),
        }
    }

    fn forwarded(push: PushInfo) -> Option<Item> {
        let (sender, mut news) = news();
        forward(push, CHANNEL, &sender);
        news.try_next()
    }

    #[test]
    fn message_reaches_the_fleet() {
        let told = forwarded(push(PushKind::Message, &[CHANNEL.as_bytes(), GENUINE]));
        let Some(Item::Told(message)) = told else {
            panic!("{told:?}");
        };
        assert_eq!(message.records[0].name, "users-api");
    }

    #[test]
    fn malformed_message_is_a_gap() {
        for text in [&b"garbage"[..], b"", b"bb1 9 4 web-1", b"\xff\xfe"] {
            let told = forwarded(push(PushKind::Message, &[CHANNEL.as_bytes(), text]));
            assert_eq!(told, Some(Item::Gap), "{text:?}");
        }
        let told = forwarded(push(PushKind::Message, &[CHANNEL.as_bytes()]));
        assert_eq!(told, Some(Item::Gap));
    }

    #[test]
    fn message_of_another_channel_is_ignored() {
        assert_eq!(
            forwarded(push(PushKind::Message, &[b"other", GENUINE])),
            None
        );
        assert_eq!(
            forwarded(push(PushKind::Subscribe, &[CHANNEL.as_bytes()])),
            None
        );
        assert_eq!(forwarded(push(PushKind::Invalidate, &[b"key"])), None);
    }

    #[tokio::test]
    async fn end_of_subscription_ends_the_connection() {
        for kind in [
            PushKind::Disconnection,
            PushKind::Unsubscribe,
            PushKind::SUnsubscribe,
        ] {
            let (sender, mut news) = news();
            forward(push(kind, &[]), CHANNEL, &sender);
            let item = news.next().await;
            assert!(
                matches!(item, Item::Ended(StoreError::Disconnected(_))),
                "{item:?}"
            );
        }
    }

    #[tokio::test]
    async fn overflow_is_one_gap() {
        let (sender, mut news) = news();
        for _ in 0..5_000 {
            forward(
                push(PushKind::Message, &[CHANNEL.as_bytes(), GENUINE]),
                CHANNEL,
                &sender,
            );
        }
        assert_eq!(news.next().await, Item::Gap);
        let mut told = 0;
        while let Some(item) = news.try_next() {
            assert!(matches!(item, Item::Told(_)), "{item:?}");
            told += 1;
        }
        assert!((1..5_000).contains(&told), "{told}");
    }
}
