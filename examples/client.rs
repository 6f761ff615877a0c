//! Sends the message on standard input over TLS, or not at all, and prints what became of it:
//! `cargo run -p hvmail-examples --example client -- HOST PORT FROM TO... <message`
use smtp_client::tls::ClientPolicy;
use smtp_client::wire::ClientName;
use smtp_client::{Client, Config, Message, Recipient, Route, Sender};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("HOST PORT FROM TO... are needed");
    let route = Route::new(next()?, next()?.parse()?);
    let sender = Sender::parse(&next()?)?;
    let recipients = arguments
        .map(|to| Recipient::new(&to, route.clone(), ClientPolicy::required()))
        .collect::<Result<Vec<_>, _>>()?;
    let message = Message::from_bytes(std::io::read_to_string(std::io::stdin())?);

    let client = Client::new(Config::new(ClientName::parse("client.example.com")?));
    let report = client.deliver(&sender, &recipients, &message).await;
    for recipient in &report.recipients {
        println!("{} {} tls={}", recipient.address, recipient.outcome, recipient.tls);
    }
    match report.all_delivered() {
        true => Ok(()),
        false => Err("it did not reach everybody".into()),
    }
}
