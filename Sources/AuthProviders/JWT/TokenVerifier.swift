import Foundation
import Sessions

/// A token whose signature and times hold. A value.
struct VerifiedToken: Sendable {
    let claims: JSONValue
    let keyID: String?
    /// Seconds since 1970 from which it does not hold any more, the leeway included.
    let expires: Double
}

/// Keys and rules for tokens. Immutable; shared by all logins under a rule.
struct TokenVerifier: Sendable {
    let keys: TokenKeys
    let rules: TokenRules
    /// Seconds since 1970.
    var now: @Sendable () -> Double = { Date.now.timeIntervalSince1970 }
    /// A token has to name its key.
    var needsKeyID = false

    /// What `check` says. It computes for up to milliseconds, which the other clients of the worker would wait for: on
    /// a lane.
    ///
    /// - Parameter kind: of the lane.
    /// - Throws: 58000 when the lane has no answer.
    func verdict(
        on password: SecretBytes,
        by lanes: AuthLanes,
        kind: String
    ) async throws(AuthFailure) -> Result<VerifiedToken, TokenRefusal> {
        try await lanes.run(kind, for: .computing) { () -> Result<VerifiedToken, TokenRefusal> in
            do throws(TokenRefusal) {
                return .success(try self.check(password))
            } catch {
                return .failure(error)
            }
        }
    }

    func check(_ password: SecretBytes) throws(TokenRefusal) -> VerifiedToken {
        var bytes = password.exposed()
        defer { for index in bytes.indices { bytes[index] = 0 } }
        var token = try SignedToken(parsing: bytes)
        defer { token.wipe() }
        guard !self.needsKeyID || token.keyID != nil else { throw TokenRefusal("the token names no key (`kid`)") }
        try self.keys.check(token)
        let expires = try self.rules.check(token.claims, now: self.now())
        return VerifiedToken(claims: token.claims, keyID: token.keyID, expires: expires)
    }
}

extension TokenKeys {
    /// The keys of several files, for a rule.
    init(paths: [String], option: String, of options: MethodOptions) throws(AuthConfigurationError) {
        do throws(KeyFileError) {
            var keys: [TokenKey] = []
            for path in paths { keys += try KeyFile.publicKeys(path: options.resolve(path: path)) }
            self.init(keys: keys)
        } catch {
            throw .invalidOption(method: options.method, name: option, reason: error.description)
        }
    }
}
