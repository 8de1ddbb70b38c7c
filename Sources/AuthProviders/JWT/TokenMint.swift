import Foundation
public import Sessions

/// Makes short-lived tokens for a role, as clear-text passwords towards servers that check tokens. Immutable.
///
/// Two mints are equal when they write the same name with the key of the same file content.
public struct TokenMint: Sendable, Equatable {
    private let key: TokenKey
    private let content: SecretBytes
    private let user: String

    /// Seconds that a token holds.
    static let life: Int64 = 120

    /// The text before the path of the private key, where a password may stand.
    public static let prefix = "jwt-priv-key-fpath:"

    /// - Parameter path: a private key in PEM: RSA signs RS256, P-256 ES256, P-384 ES384.
    /// - Parameter user: whom the tokens name.
    public init(keyFile path: String, user: String) throws(AuthConfigurationError) {
        do throws(KeyFileError) {
            (self.key, self.content) = try KeyFile.privateKey(path: path)
        } catch {
            throw .unusableFile(error.description)
        }
        self.user = user
        guard !user.utf8.contains(0), self.token() != nil else { throw .unusableFile("\(path): cannot sign a token") }
    }

    private init(key: TokenKey, content: SecretBytes, user: String) {
        (self.key, self.content, self.user) = (key, content, user)
    }

    /// The same key for the name of another user; nil for a name that no server could have.
    public func signing(for user: String) -> TokenMint? {
        user.utf8.contains(0) ? nil : TokenMint(key: self.key, content: self.content, user: user)
    }

    public static func == (left: TokenMint, right: TokenMint) -> Bool {
        left.user.utf8.elementsEqual(right.user.utf8) && left.content == right.content
    }

    /// A new token each time. Signs on the spot: about a millisecond for RSA with 2048 bits.
    public func token() -> SecretBytes? {
        let now = Int64(Date.now.timeIntervalSince1970)
        guard var bytes = self.key.mint(user: self.user, issued: now, expires: now + Self.life) else { return nil }
        return SecretBytes(wiping: &bytes)
    }

    /// A new token whenever a server asks for a clear-text password.
    public var credential: ServerCredential { .made { self.token() } }
}
