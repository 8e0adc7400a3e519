//! The private key of `tls-key-file`.

use std::path::Path;

use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::SecretDocument;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// What an encrypted key's file begins with.
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// Reads the key, with the password if it is encrypted as PKCS #8 has it.
pub(super) fn read(path: &Path, password: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let failed = |why: String| format!("Failed to load private key: {}: {why}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| failed(crate::config::reason(&error)))?;
    if !text.contains(ENCRYPTED) {
        return PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| failed(error.to_string()));
    }
    let (_, document) = SecretDocument::from_pem(&text).map_err(|error| failed(error.to_string()))?;
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes());
    let key = encrypted.and_then(|key| key.decrypt(password)).map_err(|error| failed(error.to_string()))?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key for P-256 that OpenSSL 3 has encrypted with the password `1234`.
    const ENCRYPTED_KEY: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhEdxIqi7pEhgICCAAw\n\
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEAsWaF926GU+uGtSWss1U3MEgZBy\n\
GYxruiPALS1UrqOcF4EwhW/xu3ai8R6vtZ3wbe9xYV2wuC81lX/gHE943iAezHkz\n\
iFbnEZXW+HoIxmU0CvMNJhEoHUckzEDAc7OlDZTP1A3tIonIdZjmmSPGW1fm+dss\n\
N2oOsx/hHeznV0m6bcm7QYTbHLoQffDUHslJ0zbDDaidoPZLj80d9ou2Hx1wsAM=\n\
-----END ENCRYPTED PRIVATE KEY-----\n\
";

    #[test]
    fn encrypted_keys_take_their_password() {
        let path = std::env::temp_dir().join(format!("sockudo-kv-key-{}", std::process::id()));
        std::fs::write(&path, ENCRYPTED_KEY).expect("writable");
        let right = read(&path, b"1234").expect("the right password");
        assert!(rustls::crypto::ring::sign::any_supported_type(&right).is_ok());
        for wrong in [&b""[..], b"12345"] {
            let why = read(&path, wrong).expect_err("a wrong password");
            assert!(why.starts_with("Failed to load private key: "), "{why}");
        }
        std::fs::remove_file(&path).expect("there");
        assert!(read(&path, b"1234").is_err());
    }
}
