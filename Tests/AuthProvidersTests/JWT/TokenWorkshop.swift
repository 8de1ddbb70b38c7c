import Foundation
import Sessions

@testable import AuthProviders

/// Makes tokens and key files for tests.
final class TokenWorkshop {
    let folder: String
    let key = SigningKey()
    /// The clock of everything here: 2001-09-09, within the times of `claims`.
    static let now = 1_000_000_000.0

    init() throws {
        self.folder = NSTemporaryDirectory() + "tokens-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: self.folder) }

    func write(_ name: String, _ text: String) throws -> String {
        let path = "\(self.folder)/\(name)"
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        return path
    }

    /// A key file of the workshop's own key.
    func keyFile(_ name: String = "key.pem") throws -> String {
        try self.write(name, self.key.publicPEM)
    }

    static func base64URL(_ bytes: some Sequence<UInt8>) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// Signed by the workshop's key, whatever the header says.
    func token(header: String = #"{"alg":"ES256","typ":"JWT"}"#, claims: String) throws -> String {
        try self.token(header: Array(header.utf8), claims: Array(claims.utf8))
    }

    func token(header: [UInt8], claims: [UInt8]) throws -> String {
        let signed = Self.base64URL(header) + "." + Self.base64URL(claims)
        let signature = self.key.signature(for: Array(signed.utf8))
        return signed + "." + Self.base64URL(signature)
    }

    /// Claims of user `app` in an hour's frame around `now`, with `changes` over them; nil removes a claim.
    static func claims(_ changes: [String: Any?] = [:]) throws -> String {
        var claims: [String: Any] = [
            "preferred_username": "app", "exp": Int(self.now) + 3600, "iat": Int(self.now) - 60,
        ]
        for (name, value) in changes { claims[name] = value }
        return String(decoding: try JSONSerialization.data(withJSONObject: claims), as: UTF8.self)
    }

    func token(_ changes: [String: Any?] = [:]) throws -> String { try self.token(claims: try Self.claims(changes)) }

    /// A verifier with the workshop's key (or others), at the workshop's time.
    func verifier(
        keys: [TokenKey]? = nil,
        rules: TokenRules = TokenRules(leeway: 0),
        now: Double = TokenWorkshop.now
    ) throws -> TokenVerifier {
        let own = try KeyFile.publicKeys(path: try self.keyFile())
        return TokenVerifier(keys: TokenKeys(keys: keys ?? own), rules: rules, now: { now })
    }
}

extension TokenVerifier {
    /// Nil when the token holds, else the reason for the log.
    func refusal(_ token: String) -> String? { self.refusal(Array(token.utf8)) }

    func refusal(_ token: [UInt8]) -> String? {
        do throws(TokenRefusal) {
            _ = try self.check(SecretBytes(token))
            return nil
        } catch {
            return error.text
        }
    }
}
