import Foundation
import Sessions

/// hba method `jwt`: the client's password is a signed token, whose claim names the user.
///
/// The token is asked for as a clear-text password, so such rules belong on TLS or unix sockets. Its signature is
/// checked on a lane. Keys are read when the settings load and belong to the rule: a reload reads them again.
struct JWTProvider: AuthProvider {
    static let hbaMethods = ["jwt"]
    static let takesMap = true

    private let services: AuthServices
    private let verifier: TokenVerifier
    private let userClaim: String
    private let rolesClaim: ClaimPath?
    private let map: String?
    private let passesThrough: Bool
    private let life: TokenLife

    var lane: BlockingLane? { self.services.lanes.lane(of: Self.name) }
    var externalProof: ExternalProof? { self.passesThrough ? .clearPassword : .nameAlone }

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly(
            "keys", "issuer", "audience", "leeway", "user_claim", "roles_claim", "map",
            "passthrough", "on_expiry", "expiry_grace")
        // One that an empty `${VARIABLE}` is the value of, for example, would check nothing.
        for name in ["issuer", "audience"] where options.value(name) != nil && options.list(name).isEmpty {
            throw .invalidOption(method: options.method, name: name, reason: "names nobody")
        }
        self.services = services
        let paths = options.list("keys")
        guard !paths.isEmpty else { throw .missingOption(method: options.method, name: "keys") }
        self.verifier = TokenVerifier(
            keys: try TokenKeys(paths: paths, option: "keys", of: options),
            rules: TokenRules(
                issuer: options.value("issuer"),
                audiences: options.list("audience"),
                leeway: try options.seconds("leeway", atMost: TokenRules.leewayMax) ?? TokenRules.leewayDefault
            )
        )
        self.userClaim = options.value("user_claim") ?? Self.userClaimDefault
        self.rolesClaim = options.value("roles_claim").map { ClaimPath($0) }
        self.map = options.value("map")
        self.passesThrough = try options.flag("passthrough") ?? false
        self.life = try TokenLife(options)
    }

    private static let userClaimDefault = "preferred_username"

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        let password = try await dialogue.requestCleartextPassword()
        let verdict = try await self.verifier.verdict(on: password, by: self.services.lanes, kind: Self.name)
        let token: VerifiedToken
        let name: String
        do throws(TokenRefusal) {
            token = try verdict.get()
            guard let claim = token.claims[self.userClaim]?.string, !claim.isEmpty else {
                throw TokenRefusal("the token has no text `\(self.userClaim)`")
            }
            name = claim
        } catch {
            throw .tokenRefused(attempt, error)
        }
        try await self.check(name, attempt)
        return AuthenticatedIdentity(
            user: attempt.user,
            credential: self.passesThrough ? .cleartext(password) : .none,
            provider: "jwt",
            method: attempt.rule.method,
            roles: self.rolesClaim?.names(in: token.claims) ?? [],
            end: self.life.end(of: token)
        )
    }

    /// The name in the token is known to be true; may it be this user?
    private func check(_ name: String, _ attempt: LoginAttempt) async throws(AuthFailure) {
        guard let map = self.map else {
            guard name.utf8.elementsEqual(attempt.user.utf8) else {
                throw .tokenRefused(attempt, TokenRefusal("the token is another user's"))
            }
            return
        }
        switch await self.services.localUsers.admits(name, as: attempt, map: map) {
        case .admitted: return
        case .refused:
            throw .tokenRefused(attempt, TokenRefusal("map \"\(map)\" does not let the token's user be this one"))
        case .unavailable(let text): throw .unavailable(log: text)
        }
    }
}

extension AuthFailure {
    /// What is wrong with a token is for the log; to the client all refusals look alike.
    static func tokenRefused(_ attempt: LoginAttempt, _ refusal: TokenRefusal) -> AuthFailure {
        .wrongPassword(of: attempt, reason: .proofWrong, log: refusal.text)
    }
}

/// What happens to a session when the token that opened it does not hold any more. Immutable.
struct TokenLife: Sendable {
    private let ends: Bool
    private let grace: Duration

    /// How long a transaction may go on behind the end of its token.
    static let graceDefault = 60.0
    private static let graceMax = 86_400.0

    /// Options `on_expiry` and `expiry_grace`.
    init(_ options: MethodOptions) throws(AuthConfigurationError) {
        switch options.value("on_expiry") {
        case "ignore", nil: self.ends = false
        case "disconnect": self.ends = true
        default:
            throw .invalidOption(
                method: options.method, name: "on_expiry", reason: "neither `ignore` nor `disconnect`")
        }
        self.grace = .seconds(try options.seconds("expiry_grace", atMost: Self.graceMax) ?? Self.graceDefault)
    }

    /// Sessions outlive their token.
    static let ignored = TokenLife()

    private init() {
        self.ends = false
        self.grace = .zero
    }

    func end(of token: VerifiedToken) -> AuthenticatedIdentity.End? {
        guard self.ends else { return nil }
        return AuthenticatedIdentity.End(at: Int64(token.expires * 1_000_000), grace: self.grace)
    }
}

extension MethodOptions {
    /// Values with commas between them; blanks around each are dropped.
    func list(_ name: String) -> [String] {
        (self.value(name) ?? "").split(separator: ",")
            .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    func seconds(_ name: String, atMost limit: Double) throws(AuthConfigurationError) -> Double? {
        guard let text = self.value(name) else { return nil }
        guard let seconds = UInt32(text), Double(seconds) <= limit else {
            throw .invalidOption(
                method: self.method, name: name, reason: "not a whole number of seconds up to \(Int(limit))")
        }
        return Double(seconds)
    }
}
