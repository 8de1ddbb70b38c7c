import Foundation

/// Checks that a user's `password` is something a client can be verified against. Says what is wrong without quoting
/// it.
enum PasswordShape {
    private static let supported =
        """
        supported: md5 and 32 hex digits, SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>, \
        \(tokenKeyPrefix)<file>, or empty
        """

    /// In front of the file with the public keys that check a user's tokens.
    static let tokenKeyPrefix = "jwt-pkey-fpath:"
    /// In front of the file with the private key that signs tokens for servers.
    static let serverTokenKeyPrefix = "jwt-priv-key-fpath:"

    static func check(_ password: SecretText) throws(ValueProblem) {
        let text = password.revealed
        if text.isEmpty { return }
        if text.hasPrefix("SCRAM-SHA-256$") {
            guard Self.isSCRAM(text) else {
                throw ValueProblem("is not a whole SCRAM-SHA-256 verifier", hint: Self.supported)
            }
            return
        }
        if text.hasPrefix(Self.tokenKeyPrefix) {
            guard text != Self.tokenKeyPrefix else {
                throw ValueProblem("no file is named behind `\(Self.tokenKeyPrefix)`", hint: Self.supported)
            }
            return
        }
        guard text.hasPrefix("md5") else {
            throw ValueProblem("plain text and other forms are not supported", hint: Self.supported)
        }
        let digits = text.utf8.dropFirst(3)
        guard digits.count == 32, digits.allSatisfy({ "0123456789abcdef".utf8.contains($0) }) else {
            throw ValueProblem("`md5` is not followed by 32 lower-case hex digits", hint: Self.supported)
        }
    }

    /// RFC 5803 as PostgreSQL stores it: 32-byte keys, at least one iteration.
    private static func isSCRAM(_ text: String) -> Bool {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return false }
        let head = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        let keys = parts[2].split(separator: ":", omittingEmptySubsequences: false)
        guard head.count == 2, keys.count == 2 else { return false }
        guard head[0].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let iterations = Int32(head[0]), iterations > 0,
            let salt = Data(base64Encoded: String(head[1])), !salt.isEmpty
        else { return false }
        return keys.allSatisfy { Data(base64Encoded: String($0))?.count == 32 }
    }
}
