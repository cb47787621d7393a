//! Look-ups with hickory, on the configuration of the system.

use std::io;

use async_trait::async_trait;
use hickory_resolver::{
    TokioResolver,
    net::NetError,
    proto::rr::{RData, RecordType},
};

use crate::{Answer, Lookup, Question};

/// The name servers, search list and hosts file of the system.
#[derive(Clone)]
pub struct System {
    resolver: TokioResolver,
}

/// The system's configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the name servers of the system cannot be read")]
pub struct SystemError(#[from] NetError);

impl System {
    /// Reads the configuration once; restart, or make another, where it changes.
    ///
    /// # Errors
    /// [`SystemError`] if there is none, or it cannot be read.
    pub fn new() -> Result<Self, SystemError> {
        let resolver = TokioResolver::builder_tokio()?.build()?;
        Ok(Self { resolver })
    }

    async fn records(&self, name: &str, kind: RecordType) -> io::Result<Vec<RData>> {
        match self.resolver.lookup(qualified(name), kind).await {
            Ok(lookup) => Ok(lookup
                .answers()
                .iter()
                .map(|record| record.data.clone())
                .collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

#[async_trait]
impl Lookup for System {
    async fn look_up(&self, question: &Question) -> io::Result<Answer> {
        let (name, kind) = match question {
            Question::Ip4(name) => (name, RecordType::A),
            Question::Ip6(name) => (name, RecordType::AAAA),
            Question::Txt(name) => (name, RecordType::TXT),
        };
        let records = self.records(name, kind).await?;
        Ok(match kind {
            RecordType::TXT => Answer::Texts(records.iter().filter_map(text).collect()),
            _ => Answer::Ips(records.iter().filter_map(RData::ip_addr).collect()),
        })
    }
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("System").finish_non_exhaustive()
    }
}

/// A name with a dot in it is whole: the search list of the system is for single words.
fn qualified(name: &str) -> String {
    if name.contains('.') && !name.ends_with('.') {
        format!("{name}.")
    } else {
        name.to_owned()
    }
}

/// The text of a TXT record, whose pieces belong together.
fn text(record: &RData) -> Option<String> {
    match record {
        RData::TXT(text) => String::from_utf8(text.txt_data.concat()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::proto::rr::rdata::TXT;

    #[test]
    fn whole_names() {
        assert_eq!(qualified("example.org"), "example.org.");
        assert_eq!(qualified("example.org."), "example.org.");
        assert_eq!(qualified("container"), "container");
    }

    #[test]
    fn the_pieces_of_a_text_belong_together() {
        let record = RData::TXT(TXT::new(vec!["dnsaddr=/ip4/192".into(), ".0.2.1/tcp/1".into()]));
        assert_eq!(text(&record).as_deref(), Some("dnsaddr=/ip4/192.0.2.1/tcp/1"));
        let record = RData::TXT(TXT::from_bytes(vec![&[0xff]]));
        assert_eq!(text(&record), None);
    }

    #[tokio::test]
    async fn the_own_machine_is_found_without_a_network() {
        let system = System::new().unwrap();
        let answer = system.look_up(&Question::Ip4("localhost".into())).await.unwrap();
        assert_eq!(answer, Answer::Ips(vec![[127, 0, 0, 1].into()]));
    }
}
