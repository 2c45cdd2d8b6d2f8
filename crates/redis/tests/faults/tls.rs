//! Encrypted connections, with certificates of both sides.

use crate::node::{Node, connected, opens_everywhere, ports, secs, until};
use crate::server::Server;
use breakerbox_redis::fleet::Degradation;
use breakerbox_redis::fleet::store::StoreError;
use breakerbox_redis::{RedisStore, RedisStoreBuilder};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::path::Path;

/// A certificate authority, and the certificate that it has signed for `localhost`.
struct Certificates {
    authority: String,
    certificate: String,
    key: String,
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Equal names would mean that the certificate below has signed itself.
        params
            .distinguished_name
            .push(DnType::CommonName, "authority");
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        Self {
            authority,
            certificate: params.signed_by(&key, &issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// Writes the files of a server, and returns the arguments that name them.
    fn arguments(&self, folder: &Path) -> Vec<String> {
        let files = [
            ("--tls-ca-cert-file", &self.authority),
            ("--tls-cert-file", &self.certificate),
            ("--tls-key-file", &self.key),
        ];
        let write = |(argument, text): (&str, &String)| {
            let file = folder.join(argument);
            std::fs::write(&file, text).unwrap();
            [argument.to_owned(), file.to_str().unwrap().to_owned()]
        };
        files.into_iter().flat_map(write).collect()
    }
}

fn builder(port: &str, trusted: &Certificates) -> RedisStoreBuilder {
    RedisStore::builder(format!("rediss://localhost:{port}/"))
        .root_certificates(trusted.authority.as_str())
}

#[tokio::test]
async fn encrypted_connection_checks_both_sides() {
    let ours = Certificates::new();
    let folder = tempfile::tempdir().unwrap();
    let [port] = ports();
    let mut arguments = vec!["--tls-port".to_owned(), port.clone()];
    arguments.extend(ours.arguments(folder.path()));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let Some(_server) = Server::start_with(&arguments) else {
        return;
    };
    let (certificate, key) = (ours.certificate.as_str(), ours.key.as_str());
    let nodes = [(); 2].map(|()| {
        let store = builder(&port, &ours).client_certificate(certificate, key);
        Node::on(store.build().unwrap(), secs(30))
    });
    connected(&nodes).await;
    opens_everywhere(&nodes, "users-api").await;

    // A server that another authority has signed, and a client without a certificate.
    let theirs = Certificates::new();
    for store in [
        builder(&port, &theirs).client_certificate(certificate, key),
        builder(&port, &ours),
    ] {
        let node = Node::on(store.build().unwrap(), secs(30));
        until("the handshake fails", || {
            matches!(
                node.degradation(),
                Some(Degradation::Link(StoreError::Disconnected(_)))
            )
        })
        .await;
        assert!(node.call());
    }
}
