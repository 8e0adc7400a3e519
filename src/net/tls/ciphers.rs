//! Lists of ciphers as OpenSSL writes them, over the suites that rustls has.

use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion, version};

/// OpenSSL's names of the suites of TLS 1.2 that rustls has.
const NAMES: [(&str, CipherSuite); 6] = [
    ("ECDHE-ECDSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
];

/// Words for groups of suites, each with a part of the names that it stands for.
const GROUPS: [(&str, &str); 14] = [
    ("DEFAULT", ""),
    ("ALL", ""),
    ("HIGH", ""),
    ("TLSv1.2", ""),
    ("ECDHE", ""),
    ("EECDH", ""),
    ("kECDHE", ""),
    ("kEECDH", ""),
    ("aRSA", "-RSA-"),
    ("RSA", "-RSA-"),
    ("aECDSA", "-ECDSA-"),
    ("ECDSA", "-ECDSA-"),
    ("AESGCM", "-GCM-"),
    ("AES", "-AES"),
];

/// Whether a word of a list, such as `ECDHE+AESGCM`, means a suite.
fn means(word: &str, name: &str) -> bool {
    word.split('+').all(|part| match GROUPS.iter().find(|(group, _)| *group == part) {
        Some((_, contained)) => name.contains(contained),
        None => name == part || name.split('-').any(|piece| piece == part),
    })
}

/// The suites of TLS 1.2 that a list such as `DEFAULT:-AES128` names, the preferred first. Words that mean none of them
/// are passed over; the error is that nothing is left.
pub(super) fn tls12(list: &str, known: &[SupportedCipherSuite]) -> Result<Vec<SupportedCipherSuite>, String> {
    let (mut chosen, mut banned): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for word in list.split([':', ',', ' ', ';']).filter(|word| !word.is_empty() && !word.starts_with('@')) {
        let (sign, word) = match word.as_bytes()[0] {
            sign @ (b'-' | b'!' | b'+') => (sign, &word[1..]),
            _ => (b' ', word),
        };
        let meant = || NAMES.iter().map(|(name, _)| *name).filter(|name| means(word, name));
        match sign {
            b'-' => chosen.retain(|name| !means(word, name)),
            b'!' => {
                banned.extend(meant());
                chosen.retain(|name| !means(word, name));
            }
            b'+' => chosen.sort_by_key(|name| means(word, name)),
            _ => meant().filter(|name| !banned.contains(name)).for_each(|name| {
                if !chosen.contains(&name) {
                    chosen.push(name);
                }
            }),
        }
    }
    let number = |name: &str| NAMES.iter().find(|(known, _)| *known == name).map(|(_, suite)| *suite);
    let suites = chosen.iter().filter_map(|name| number(name));
    let suites: Vec<_> =
        suites.filter_map(|suite| known.iter().find(|one| one.suite() == suite).copied()).collect();
    if suites.is_empty() { Err(format!("no cipher of this server is in '{list}'")) } else { Ok(suites) }
}

/// The suites of TLS 1.3 that a list such as `TLS_AES_128_GCM_SHA256` names, the preferred first.
pub(super) fn tls13(list: &str, known: &[SupportedCipherSuite]) -> Result<Vec<SupportedCipherSuite>, String> {
    let words = list.split(':').filter(|word| !word.is_empty());
    let find = |word: &str| {
        let named = known
            .iter()
            .find(|one| one.suite().as_str().is_some_and(|name| name.replace("TLS13_", "TLS_") == word));
        named.copied().ok_or_else(|| format!("'{word}' is no cipher suite of this server"))
    };
    words.map(find).collect()
}

/// The versions that `tls-protocols` names; both that there are if it names none. Older ones are passed over: no client
/// is to speak them any more.
pub(super) fn versions(list: &str) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let mut versions = Vec::new();
    for word in list.split_ascii_whitespace() {
        match word.to_ascii_lowercase().as_str() {
            "tlsv1" | "tlsv1.1" => {}
            "tlsv1.2" => versions.push(&version::TLS12),
            "tlsv1.3" => versions.push(&version::TLS13),
            _ => {
                return Err(
                    "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'."
                        .into(),
                );
            }
        }
    }
    match (list.trim_ascii().is_empty(), versions.is_empty()) {
        (true, _) => Ok(vec![&version::TLS13, &version::TLS12]),
        (false, true) => Err("TLSv1.2 and TLSv1.3 are the only protocols that this server speaks".into()),
        (false, false) => Ok(versions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Result<Vec<&'static str>, String> {
        let chosen = tls12(list, rustls::crypto::ring::ALL_CIPHER_SUITES)?;
        let name = |one: &SupportedCipherSuite| {
            NAMES.iter().find(|(_, suite)| *suite == one.suite()).map(|(name, _)| *name)
        };
        Ok(chosen.iter().filter_map(name).collect())
    }

    #[test]
    fn lists_are_read_as_openssl_reads_them() {
        assert_eq!(names("DEFAULT").map(|all| all.len()), Ok(6));
        assert_eq!(names("ECDHE-RSA-AES128-GCM-SHA256"), Ok(vec!["ECDHE-RSA-AES128-GCM-SHA256"]));
        assert_eq!(names("aRSA+AES128:NOSUCH"), Ok(vec!["ECDHE-RSA-AES128-GCM-SHA256"]));
        assert_eq!(names("!AES256:ALL:!CHACHA20:-aECDSA"), Ok(vec!["ECDHE-RSA-AES128-GCM-SHA256"]));
        let last = names("ALL:ALL:+ECDHE-ECDSA-AES256-GCM-SHA384").map(|all| (all.len(), all[5]));
        assert_eq!(last, Ok((6, "ECDHE-ECDSA-AES256-GCM-SHA384")));
        assert!(names("AES128-SHA256").is_err() && names("").is_err());
    }

    #[test]
    fn suites_and_versions_have_exact_names() {
        let all = rustls::crypto::ring::ALL_CIPHER_SUITES;
        let chosen = tls13("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", all).expect("known");
        assert_eq!(chosen[0].suite(), CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
        assert_eq!((chosen.len(), tls13("TLS_NO", all).is_err()), (2, true));
        assert_eq!(versions("").map(|all| all.len()), Ok(2));
        assert_eq!(versions("TLSv1 tlsv1.2").map(|all| all[0].version), Ok(rustls::ProtocolVersion::TLSv1_2));
        assert!(versions("TLSv1.1").is_err() && versions("TLSv9").is_err());
    }
}
