//! Any octets, as a stream of command lines, under a strict syntax, a wide one and one that the
//! input chooses: a command that is taken prints as one line that reads back as the same value,
//! nothing is taken that was not offered, and what the strict one takes the wide one takes alike.
//! Words, as each value that stands alone: the same.
#![no_main]

use hvmail_fuzz::choices::{self, Choices};
use hvmail_fuzz::oracle;
use libfuzzer_sys::fuzz_target;
use smtp_proto::limits;
use smtp_proto::wire::{
    Attributes, BodyType, Capability, ClientName, ClientNames, Command, DeliverBy, EnvelopeId,
    Extension, Extensions, ForwardPath, Interval, Line, LineScanner, MailParameters, Mailbox,
    Mechanism, Notify, OriginalRecipient, Priority, RcptParameters, Ret, ReversePath, Rrvs,
    Submitter, Syntax, Text, Timestamp, UnknownParameters, Utf8Address, Xtext,
};

fuzz_target!(|input: &[u8]| {
    let (text, choices) = choices::split(input);
    let chosen = syntax(choices.clone());
    if choices.clone().octet() & 4 != 0 {
        let words = std::str::from_utf8(text).unwrap_or_default();
        words.split(['\r', '\n', ' ', '=']).take(64).for_each(values);
    }
    let mut scanner = LineScanner::new(limits::COMMAND_LINE_EXTENDED);
    let mut rest = text;
    while let Line::Complete { len, end } = scanner.scan(rest) {
        check(&rest[..len - end.octets()], &chosen);
        rest = &rest[len..];
    }
    // What is left has no line end: the grammar must stand it all the same.
    check(rest, &chosen);
});

fn wide() -> Syntax {
    Syntax {
        extensions: Extension::ALL.iter().copied().collect(),
        unknown_parameters: UnknownParameters::Keep,
        client_names: ClientNames::Lenient,
    }
}

fn syntax(mut choices: Choices<'_>) -> Syntax {
    let switches = choices.octet();
    let bits = u32::from_be_bytes([0, choices.octet(), choices.octet(), choices.octet()]);
    let chosen = Extension::ALL.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    Syntax {
        extensions: chosen.map(|(_, extension)| *extension).collect(),
        unknown_parameters: match switches & 1 {
            0 => UnknownParameters::Refuse,
            _ => UnknownParameters::Keep,
        },
        client_names: if switches & 2 == 0 { ClientNames::Strict } else { ClientNames::Lenient },
    }
}

fn check(line: &[u8], chosen: &Syntax) {
    let strict = taken(line, &Syntax::STRICT);
    let wide = taken(line, &wide());
    taken(line, chosen);
    if let Some(command) = strict {
        // The last word of VRFY and EXPN is a part of the text where SMTPUTF8 is not offered.
        let vrfy = matches!(command, Command::Vrfy(_) | Command::Expn(_));
        assert!(vrfy || wide == Some(command), "{command:?} is {wide:?}");
    }
}

fn taken<'a>(line: &'a [u8], syntax: &Syntax) -> Option<Command<'a>> {
    let command = match Command::parse_with(line, syntax) {
        Ok(command) => command,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return None;
        }
    };
    let printed = command.to_string();
    assert!(!printed.contains(|c: char| c.is_ascii_control()), "{printed:?}");
    let wide = syntax.takes_utf8() || syntax.client_names == ClientNames::Lenient;
    assert!(printed.is_ascii() || wide, "{printed:?}");
    assert_eq!(Command::parse_with(printed.as_bytes(), syntax), Ok(command), "{printed:?}");
    let unknown = syntax.unknown_parameters == UnknownParameters::Keep;
    match command {
        Command::Mail(mail) => {
            let path = mail.reverse_path;
            assert_eq!(ReversePath::parse_utf8(&path.to_string()), Ok(path));
            let parameters = mail.parameters;
            for extension in mail_needs(&parameters).iter() {
                assert!(syntax.extensions.contains(extension), "{extension} in {printed}");
            }
            assert!(path.as_str().is_ascii() || parameters.smtputf8, "{printed}");
            assert!(unknown || parameters.other.is_empty());
        }
        Command::Rcpt(rcpt) => {
            let path = rcpt.forward_path;
            assert_eq!(ForwardPath::parse_utf8(&path.to_string()), Ok(path));
            for extension in rcpt_needs(&rcpt.parameters).iter() {
                assert!(syntax.extensions.contains(extension), "{extension} in {printed}");
            }
            assert!(unknown || rcpt.parameters.other.is_empty());
        }
        Command::Auth(auth) => {
            if let Some(response) =
                auth.initial_response.filter(|response| response.as_str().len() > 40)
            {
                assert!(!format!("{command:?}").contains(response.as_str()), "a secret is shown");
            }
        }
        _ => {}
    }
    Some(command)
}

fn mail_needs(parameters: &MailParameters<'_>) -> Extensions {
    let needs = [
        (parameters.size.is_some(), Extension::Size),
        (parameters.body == Some(BodyType::BinaryMime), Extension::BinaryMime),
        (parameters.smtputf8, Extension::SmtpUtf8),
        (parameters.ret.is_some() || parameters.envid.is_some(), Extension::Dsn),
        (parameters.auth.is_some(), Extension::Auth),
        (parameters.requiretls, Extension::RequireTls),
        (parameters.mt_priority.is_some(), Extension::MtPriority),
        (parameters.hold.is_some(), Extension::FutureRelease),
        (parameters.by.is_some(), Extension::DeliverBy),
    ];
    needs.into_iter().filter(|(needed, _)| *needed).map(|(_, extension)| extension).collect()
}

fn rcpt_needs(parameters: &RcptParameters<'_>) -> Extensions {
    let dsn = parameters.notify.is_some() || parameters.orcpt.is_some();
    let needs = [(dsn, Extension::Dsn), (parameters.rrvs.is_some(), Extension::Rrvs)];
    needs.into_iter().filter(|(needed, _)| *needed).map(|(_, extension)| extension).collect()
}

/// A value that a text makes prints as a text that makes it again.
macro_rules! prints_back {
    ($text:expr, $($parse:expr),* $(,)?) => {$({
        if let Some(value) = $parse($text) {
            let printed = value.to_string();
            assert_eq!($parse(&printed), Some(value), "{printed:?}");
        }
    })*};
}

macro_rules! fallible {
    ($text:expr, $($parse:expr),* $(,)?) => {$({
        if let Ok(value) = $parse($text) {
            let printed = value.to_string();
            assert_eq!($parse(&printed), Ok(value), "{printed:?}");
        }
    })*};
}

fn values(text: &str) {
    prints_back!(
        text,
        Text::parse,
        Text::parse_utf8,
        Attributes::parse,
        BodyType::parse,
        Ret::parse,
        EnvelopeId::parse,
        Notify::parse,
        OriginalRecipient::parse,
        Priority::parse,
        Interval::parse,
        Timestamp::parse,
        DeliverBy::parse,
        Rrvs::parse,
        Submitter::parse,
        Mechanism::parse,
        Capability::parse,
        Xtext::parse,
        Utf8Address::parse
    );
    fallible!(text, ClientName::parse, Mailbox::parse, ReversePath::parse, ForwardPath::parse);

    let octets = oracle::xtext::decode(text);
    assert_eq!(Xtext::parse(text).map(|xtext| xtext.to_octets().into_owned()), octets);
    let encoded = Xtext::encode(text.as_bytes());
    assert_eq!(oracle::xtext::decode(&encoded), Some(text.as_bytes().to_vec()));
    if !text.is_empty() && !text.contains(char::is_control) {
        for encoded in [Utf8Address::encode(text), Utf8Address::encode_ascii(text)] {
            let address = Utf8Address::parse(&encoded).expect("it is encoded");
            assert_eq!(address.to_text(), text);
        }
    }
}
