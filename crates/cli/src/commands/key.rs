//! `sinew key`: new, show, convert.

use crate::{
    args::{Format, KeyCommand, KeyKind, PskCommand},
    error::{CliError, Kind},
    local,
    output::Output,
};
use serde_json::json;
use sinew::{
    Keypair,
    identity::{Existing, KeyFormat},
    pnet::PreSharedKey,
};
use std::path::Path;

/// Bits of an RSA key if nothing is said: what every libp2p stack takes.
const RSA_BITS: usize = 2048;

pub(crate) fn run(command: KeyCommand, output: &Output) -> Result<(), CliError> {
    match command {
        KeyCommand::New {
            file,
            kind,
            bits,
            format,
        } => {
            let keypair = generate(kind, bits)?;
            local::write_key(&keypair, &file, form(format))?;
            show(&keypair, &file, output);
        }
        KeyCommand::Show { file } => {
            let key = local::read_key(&file)?;
            show(&key.keypair, &file, output);
        }
        KeyCommand::Convert { from, to, format } => {
            let key = local::read_key(&from)?;
            local::write_key(&key.keypair, &to, form(format))?;
            show(&key.keypair, &to, output);
        }
        KeyCommand::Psk(command) => psk(command, output)?,
    }
    Ok(())
}

fn psk(command: PskCommand, output: &Output) -> Result<(), CliError> {
    let (key, file) = match command {
        PskCommand::New { file } => {
            let key = PreSharedKey::generate();
            key.write_file(&file, Existing::Keep)
                .map_err(|error| CliError::new(Kind::Local, "writing the pre-shared key").because(error))?;
            (key, file)
        }
        PskCommand::Show { file } => (local::read_psk(&file)?, file),
    };
    let (fingerprint, file) = (key.fingerprint(), file.display().to_string());
    let object = json!({ "fingerprint": fingerprint, "file": file });
    output.say(
        &format!("fingerprint  {fingerprint}\nfile         {file}"),
        &object,
    );
    Ok(())
}

fn generate(kind: KeyKind, bits: Option<usize>) -> Result<Keypair, CliError> {
    Ok(match kind {
        KeyKind::Ed25519 => Keypair::generate(),
        KeyKind::Secp256k1 => Keypair::generate_secp256k1(),
        KeyKind::Ecdsa => Keypair::generate_ecdsa(),
        KeyKind::Rsa => Keypair::generate_rsa(bits.unwrap_or(RSA_BITS))
            .map_err(|error| CliError::new(Kind::Local, "making the key").because(error))?,
    })
}

fn form(format: Format) -> KeyFormat {
    match format {
        Format::Libp2p => KeyFormat::Protobuf,
        Format::Pem => KeyFormat::Pem,
    }
}

fn show(keypair: &Keypair, file: &Path, output: &Output) {
    let (peer, cid) = (keypair.peer_id().to_string(), keypair.peer_id().to_cid_text());
    let kind = keypair.key_type().to_string();
    let public: String = keypair
        .public()
        .to_protobuf()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let file = file.display().to_string();
    let object = json!({ "peer": peer, "cid": cid, "type": kind, "public_key": public, "file": file });
    let text = format!(
        "peer id     {peer}\nas CID      {cid}\ntype        {kind}\npublic key  {public}\nfile        {file}"
    );
    output.say(&text, &object);
}
