//! [`Names`]: numbers for names, in the order of their first appearance.

use std::collections::HashMap;
use std::sync::Arc;

/// A table of names. The number of a name is its position in `list`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    numbers: HashMap<Arc<str>, u32>,
    list: Vec<Arc<str>>,
    /// The number of the name that was looked up last, which is often the next one, too.
    last: u32,
}

impl Names {
    /// Returns the number of `name`, and adds the name if it is new.
    pub(crate) fn number(&mut self, name: &Arc<str>) -> u32 {
        if let Some(last) = self.list.get(self.last as usize) {
            if Arc::ptr_eq(last, name) {
                return self.last;
            }
        }
        self.last = match self.numbers.get(name) {
            Some(number) => *number,
            None => self.add(name.clone()),
        };
        self.last
    }

    fn add(&mut self, name: Arc<str>) -> u32 {
        let number = u32::try_from(self.list.len()).expect("at most 2^32 names");
        self.numbers.insert(name.clone(), number);
        self.list.push(name);
        number
    }

    pub(crate) fn list(&self) -> &[Arc<str>] {
        &self.list
    }
}
