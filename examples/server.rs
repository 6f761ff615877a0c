//! Takes mail for example.org into the Maildir `inbox`, on port 2525 with STARTTLS; `server.pem`
//! has certificate and key: `cargo run -p hvmail-examples --example server`
use smtp_proto::server::{Config, Verdict};
use smtp_proto::wire::{Detail, Mail, Rcpt, Refusal};
use smtp_server::maildir::{Delivery, Envelope, Maildir};
use smtp_server::{Admission, ConnectionPolicy, Context, HandlerSession, Peer, Server, Service};
use smtp_tls::{Acceptor, Backend, Identity, ServerPolicy, pem_sections};
#[derive(Clone)]
struct Client(Maildir, Envelope);
impl HandlerSession for Client {
    type Sink = Delivery;
    async fn mail(&mut self, _: &Context<'_>, mail: Mail<'_>) -> Verdict {
        self.1 = Envelope::new(mail.reverse_path.as_str());
        Verdict::Accept
    }
    async fn rcpt(&mut self, _: &Context<'_>, rcpt: Rcpt<'_>) -> Verdict {
        match rcpt.forward_path.as_str() {
            ours if ours.ends_with("@example.org") => self.1.add_recipient(ours),
            _ => return Verdict::Refuse(Refusal::permanent(Detail::new(7, 1), "not here")),
        }
        Verdict::Accept
    }
    async fn data(&mut self, context: &Context<'_>) -> Result<Delivery, Refusal> {
        Ok(self.0.deliver(context, &self.1))
    }
}
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let identity = Identity::from_pem_sections(&pem_sections(&std::fs::read("server.pem")?)?)?;
    let acceptor = Acceptor::new(Backend::Rustls, &ServerPolicy::new(identity.into()))?;
    let smtp = Config::new("mx.example.org");
    let policy = ConnectionPolicy::new(smtp.into()).with_starttls(acceptor);
    let client = Client(Maildir::open("inbox", "mx.example.org")?, Envelope::default());
    let mut server = Server::new(move |_: &Peer<'_>| Admission::Serve(client.clone()));
    server.bind(Service::new("smtp", vec!["127.0.0.1:2525".parse()?], policy))?;
    server.serve(std::future::pending()).await;
    Ok(())
}
