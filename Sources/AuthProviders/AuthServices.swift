public import Sessions

/// What the gateway lends to providers. Immutable; made for each settings snapshot and shared by all workers.
public struct AuthServices: Sendable {
    /// Where the secrets of users are looked up: static users first, then further sources.
    public var secrets: any SecretSource { self.lent.secrets }
    /// Names of the operating system, and the maps from such names to users.
    public var localUsers: any LocalUsers { self.lent.localUsers }
    /// Secrets for users that do not exist.
    public var mock: MockAuthentication { self.lent.mock }
    /// What a rule `md5` shows to users whose secret is unknown or empty.
    public var unknownUserExchange: UnknownUserExchange { self.lent.unknownUserExchange }
    /// What a rule `trust` does with a user whom no source knows.
    public var unknownTrustedUser: UnknownTrustedUser { self.lent.unknownTrustedUser }
    /// Where calls into libraries that block are made, and where what computes for long does so.
    public var lanes: AuthLanes { self.lent.lanes }
    /// Unpredictable bytes for salts and nonces, as many as asked for.
    public var randomBytes: @Sendable (Int) -> [UInt8] { self.lent.randomBytes }
    /// Who signs Talos tokens; nil when the settings have no table `talos`.
    public var talos: TalosRealm? {
        get { self.lent.talos }
        set { self.lent = Lent(self.lent, talos: newValue) }
    }

    /// In one object: a login hands its services on several times.
    private var lent: Lent

    /// A rule `md5` runs SCRAM for users with a SCRAM secret and md5 for users with an md5 hash, so an unknown user has
    /// to look like one of them. PostgreSQL decides by `password_encryption`; here it is this setting. Choose what most
    /// users have.
    public enum UnknownUserExchange: Sendable {
        /// They are asked for a SCRAM proof.
        case scramSHA256
        /// They are asked for an md5 response.
        case md5
    }

    /// PostgreSQL has no sessions for roles that do not exist, whatever the rule. The gateway decides here, because a
    /// user that no source knows may still be known to the server.
    public enum UnknownTrustedUser: Sendable {
        /// Refused with the text of a wrong password.
        case refused
        /// Admitted without a credential: only a server that trusts the gateway lets such a session in.
        case admitted
    }

    /// What a provider is made with; tests need no more than a source of secrets.
    public init(
        secrets: any SecretSource,
        localUsers: any LocalUsers = NoLocalUsers(),
        mock: MockAuthentication = MockAuthentication(),
        unknownUserExchange: UnknownUserExchange = .scramSHA256,
        unknownTrustedUser: UnknownTrustedUser = .refused,
        lanes: AuthLanes = AuthLanes()
    ) {
        self.init(
            secrets: secrets,
            localUsers: localUsers,
            mock: mock,
            unknownUserExchange: unknownUserExchange,
            unknownTrustedUser: unknownTrustedUser,
            lanes: lanes,
            randomBytes: RandomBytes.make(count:)
        )
    }

    /// With a source of random bytes of one's own, for tests that replay an exchange.
    public init(
        secrets: any SecretSource,
        localUsers: any LocalUsers = NoLocalUsers(),
        mock: MockAuthentication,
        unknownUserExchange: UnknownUserExchange,
        unknownTrustedUser: UnknownTrustedUser,
        lanes: AuthLanes = AuthLanes(),
        randomBytes: @escaping @Sendable (Int) -> [UInt8]
    ) {
        self.lent = Lent(
            secrets: secrets,
            localUsers: localUsers,
            mock: mock,
            unknownUserExchange: unknownUserExchange,
            unknownTrustedUser: unknownTrustedUser,
            lanes: lanes,
            randomBytes: randomBytes
        )
    }

    private final class Lent: Sendable {
        let secrets: any SecretSource
        let localUsers: any LocalUsers
        let mock: MockAuthentication
        let unknownUserExchange: UnknownUserExchange
        let unknownTrustedUser: UnknownTrustedUser
        let lanes: AuthLanes
        let randomBytes: @Sendable (Int) -> [UInt8]
        let talos: TalosRealm?

        init(
            secrets: any SecretSource,
            localUsers: any LocalUsers,
            mock: MockAuthentication,
            unknownUserExchange: UnknownUserExchange,
            unknownTrustedUser: UnknownTrustedUser,
            lanes: AuthLanes,
            randomBytes: @escaping @Sendable (Int) -> [UInt8]
        ) {
            self.secrets = secrets
            self.localUsers = localUsers
            self.mock = mock
            self.unknownUserExchange = unknownUserExchange
            self.unknownTrustedUser = unknownTrustedUser
            self.lanes = lanes
            self.randomBytes = randomBytes
            self.talos = nil
        }

        init(_ other: Lent, talos: TalosRealm?) {
            self.secrets = other.secrets
            self.localUsers = other.localUsers
            self.mock = other.mock
            self.unknownUserExchange = other.unknownUserExchange
            self.unknownTrustedUser = other.unknownTrustedUser
            self.lanes = other.lanes
            self.randomBytes = other.randomBytes
            self.talos = talos
        }
    }
}

/// A user's secret and where it comes from.
struct FoundSecret: Sendable {
    let secret: StoredSecret
    let origin: SecretOrigin
}

extension AuthServices {
    /// Looks up the secret of an attempt's user; nil when no source knows the user.
    func lookUp(_ attempt: LoginAttempt) async throws(AuthFailure) -> FoundSecret? {
        try Self.found(await self.secrets.secret(user: attempt.user, database: attempt.database))
    }

    /// The same as far as it takes no waiting; the outer nil says that it does.
    func lookUpAtHand(_ attempt: LoginAttempt) throws(AuthFailure) -> FoundSecret?? {
        guard let answer = self.lent.secrets.secretAtHand(user: attempt.user, database: attempt.database) else {
            return nil
        }
        return .some(try Self.found(answer))
    }

    private static func found(_ answer: SecretLookup) throws(AuthFailure) -> FoundSecret? {
        switch answer {
        case .found(let secret, let origin): return FoundSecret(secret: secret, origin: origin)
        case .notFound: return nil
        case .unavailable(let reason): throw .unavailable(log: reason)
        }
    }

    /// The secret of a user whose proof failed, as its keeper has it now; nil when nobody has a newer one to offer.
    func lookUpAfresh(_ subject: PasswordSubject) async -> SecretLookup? {
        let attempt = subject.attempt
        return await self.secrets.secretAfresh(
            user: attempt.user,
            database: attempt.database,
            insteadOf: subject.secret
        )
    }

    /// The verifier of nobody's password that a user is shown whose own cannot be used. Here because the mock behind
    /// ``mock`` would be copied.
    func mockVerifier(_ user: String) -> SCRAMVerifier { self.lent.mock.verifier(user: user) }

    /// A proof failed that its client cannot repeat within the login.
    func distrust(_ attempt: LoginAttempt) {
        self.secrets.distrust(user: attempt.user, database: attempt.database)
    }
}
