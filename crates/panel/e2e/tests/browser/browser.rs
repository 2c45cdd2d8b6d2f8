//! [`Browser`]: a window, and what a test does in it.

use crate::until;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, Locator};
use http::Method;
use serde_json::{Value, json};
use std::sync::Mutex;
use url::{ParseError, Url};

/// A browser with one window.
pub(crate) struct Browser {
    client: Client,
    /// The kinds of log entries that the test provokes.
    provoked: Mutex<&'static [&'static str]>,
}

/// A command of the driver that is not part of the standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/{}", self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            provoked: Mutex::new(&[]),
        }
    }

    pub(crate) async fn close(self) {
        self.client.close().await.expect("the browser ends");
    }

    /// Opens an address in a fresh page, and waits until the page shows rows or the reason for none.
    pub(crate) async fn open(&self, address: &str) {
        // A change of only the hash would not load the page.
        self.goto("about:blank").await;
        self.goto(address).await;
        self.wait("document.querySelector('#linkWord').textContent !== 'Connecting'")
            .await;
    }

    pub(crate) async fn goto(&self, address: &str) {
        self.client.goto(address).await.expect(address);
    }

    /// Evaluates an expression in the page.
    pub(crate) async fn eval(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        self.client
            .execute(&script, Vec::new())
            .await
            .expect(expression)
    }

    /// Runs the body of an async function in the page, and returns its result.
    pub(crate) async fn run(&self, body: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1]; \
             (async () => {{ {body} }})().then(done, (error) => done('failed: ' + error));"
        );
        self.client
            .execute_async(&script, Vec::new())
            .await
            .expect("a script that ends")
    }

    /// Waits until an expression is true in the page. Returns its value.
    pub(crate) async fn wait(&self, expression: &str) -> Value {
        let check = async || {
            let value = self.eval(expression).await;
            let is_true =
                !matches!(value, Value::Null | Value::Bool(false)) && value != "" && value != 0;
            is_true.then_some(value)
        };
        until(expression, check).await
    }

    /// Waits until an expression has a value in the page.
    pub(crate) async fn wait_for(&self, expression: &str, value: impl Into<Value>) {
        let value = value.into();
        let last = Mutex::new(Value::Null);
        let check = async || {
            let found = self.eval(expression).await;
            let is_equal = found == value;
            *last.lock().unwrap() = found;
            is_equal.then_some(())
        };
        let began = std::time::Instant::now();
        while check().await.is_none() {
            let last = last.lock().unwrap().clone();
            assert!(
                began.elapsed().as_secs() < 30,
                "{expression} is {last}, not {value}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
    }

    /// Clicks like a user: the element must be visible and not covered.
    pub(crate) async fn click(&self, selector: &str) {
        let found = self
            .client
            .find(Locator::Css(selector))
            .await
            .expect(selector);
        found.click().await.expect(selector);
    }

    /// Types into an element.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        let found = self
            .client
            .find(Locator::Css(selector))
            .await
            .expect(selector);
        found.send_keys(text).await.expect(selector);
    }

    /// Types into the element that has the focus.
    pub(crate) async fn keys(&self, text: &str) {
        let focused = self
            .client
            .active_element()
            .await
            .expect("an active element");
        focused.send_keys(text).await.expect("keys");
    }

    /// Returns the names of the rows, in their order.
    pub(crate) async fn names(&self) -> Vec<String> {
        let names =
            "[...document.querySelectorAll('#breakers tbody th')].map((cell) => cell.textContent)";
        serde_json::from_value(self.eval(names).await).expect("texts")
    }

    /// Waits until the rows have these names, in this order.
    pub(crate) async fn wait_for_names(&self, names: &[&str]) {
        let shown =
            "[...document.querySelectorAll('#breakers tbody th')].map((cell) => cell.textContent)";
        self.wait_for(shown, names).await;
    }

    /// Calls a method of the protocol of Chromium's developer tools.
    pub(crate) async fn devtools(&self, method: &str, parameters: Value) -> Value {
        let body = json!({"cmd": method, "params": parameters});
        let command = Extension {
            path: "goog/cdp/execute",
            body,
        };
        self.client.issue_cmd(command).await.expect(method)
    }

    /// Sets the size of the page.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
    }

    pub(crate) async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("a picture")
    }

    /// Declares that answers with an error are part of the test. They appear in the browser's log.
    pub(crate) fn expect_refusals(&self) {
        *self.provoked.lock().unwrap() = &["network"];
    }

    /// Like [`Self::expect_refusals`], for a page that also breaks the rules of the browser.
    pub(crate) fn expect_refusals_of_any_kind(&self) {
        *self.provoked.lock().unwrap() =
            &["network", "security", "javascript", "other", "console-api"];
    }

    /// Leaves the page. Returns what it logged.
    pub(crate) async fn leave(&self) -> Vec<String> {
        self.goto("about:blank").await;
        self.devtools("Emulation.clearDeviceMetricsOverride", json!({}))
            .await;
        let command = Extension {
            path: "se/log",
            body: json!({"type": "browser"}),
        };
        let entries = self.client.issue_cmd(command).await.expect("a log");
        let provoked = std::mem::take(&mut *self.provoked.lock().unwrap());
        let entries = entries.as_array().expect("entries").iter();
        let unexpected =
            entries.filter(|entry| !provoked.iter().any(|kind| entry["source"] == *kind));
        unexpected
            .map(|entry| format!("logged: {}", entry["message"]))
            .collect()
    }
}
