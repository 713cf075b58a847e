//! Members of a request that mean nothing to the server. A changing call names them in `msg`: a misspelt timeout that
//! is ignored in silence lets commands fail.

use std::cell::RefCell;

use serde_ignored::Path;

/// Members that are named; of more there is the number only.
const NAMED_MAX: usize = 10;
/// Characters of a name that are shown.
const NAME_CHARS_MAX: usize = 80;

tokio::task_local! {
    static NOTED: RefCell<Noted>;
}

#[derive(Default)]
struct Noted {
    first: Vec<String>,
    more: usize,
}

/// Carries out a call; what it gave, and a sentence about the members that were ignored meanwhile. `known` are names
/// that are no part of the body and may stand there all the same.
pub(super) async fn noting<F: Future>(known: &[&str], call: F) -> (F::Output, Option<String>) {
    NOTED
        .scope(RefCell::default(), async {
            let output = call.await;
            (output, NOTED.with(|noted| noted.borrow().sentence(known)))
        })
        .await
}

/// Notes a member that was ignored, if that is wanted. `within` is where the value stands that was read.
pub(super) fn note(within: &str, path: &Path<'_>) {
    let mut name = within.to_owned();
    write(path, &mut name);
    note_name(&name);
}

/// Notes a member of the whole body.
pub(super) fn note_name(name: &str) {
    // A call that changes nothing is not asked.
    let _not_wanted = NOTED.try_with(|noted| noted.borrow_mut().add(name));
}

impl Noted {
    fn add(&mut self, name: &str) {
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        if self.first.contains(&name) {
            return;
        }
        match self.first.len() < NAMED_MAX {
            true => self.first.push(name),
            false => self.more += 1,
        }
    }

    fn sentence(&self, known: &[&str]) -> Option<String> {
        let named = self
            .first
            .iter()
            .map(String::as_str)
            .filter(|name| !known.contains(name));
        let named: Vec<&str> = named.collect();
        let more = match self.more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!named.is_empty()).then(|| format!("ignored: {}{more}", named.join(", ")))
    }
}

/// Writes a path as messages do: `targetDevices[3].assetId`.
fn write(path: &Path<'_>, name: &mut String) {
    match path {
        Path::Root => {}
        Path::Seq { parent, index } => {
            write(parent, name);
            name.push_str(&format!("[{index}]"));
        }
        Path::Map { parent, key } => {
            write(parent, name);
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(key);
        }
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => write(parent, name),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::decode::{decode, decode_at};

    #[derive(Debug, Deserialize)]
    struct Outer {
        #[expect(dead_code, reason = "read, not looked at")]
        inner: Option<Inner>,
        #[expect(dead_code, reason = "read, not looked at")]
        list: Option<Vec<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[serde(alias = "amount")]
        #[expect(dead_code, reason = "read, not looked at")]
        number: Option<u8>,
    }

    #[tokio::test]
    async fn ignored_members_are_named_with_their_place_and_null_is_none() {
        let body = json!({"inner": {"amount": 1, "speed": 2, "none": null}, "list": [{}, {"Number": 3}], "jobId": "x"});
        let call = async { decode::<Outer>(&body).unwrap() };
        let (_, sentence) = noting(&["jobId"], call).await;
        assert_eq!(sentence.unwrap(), "ignored: inner.speed, list[1].Number");
        let call = async { decode_at::<Inner>("deviceList[4]", &json!({"x": 1})).unwrap() };
        let (_, sentence) = noting(&[], call).await;
        assert_eq!(sentence.unwrap(), "ignored: deviceList[4].x");
        let (_, sentence) = noting(&[], async { decode::<Inner>(&json!({"amount": 1})).unwrap() }).await;
        assert_eq!(sentence, None);
    }

    #[tokio::test]
    async fn of_many_ignored_members_a_few_are_named_and_the_others_counted() {
        let call = async {
            for n in 0..1000 {
                note_name(&format!("m{n}"));
                note_name("m0");
            }
        };
        let (_, sentence) = noting(&[], call).await;
        let sentence = sentence.unwrap();
        assert!(
            sentence.starts_with("ignored: m0, m1,") && sentence.ends_with("m9 and 990 more"),
            "{sentence}"
        );
    }
}
