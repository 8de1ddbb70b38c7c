/// One way to prove who a client is: a plug-in of the gateway.
///
/// A provider is one type in one folder. It is made for each hba rule that names one of its methods, when the settings
/// load, and serves all logins under that rule at the same time; it holds no mutable state of a login. Adding one takes
/// its type and one line: `registry.register(MyProvider.self)`.
///
/// ```swift
/// struct TokenProvider: AuthProvider {
///     static let hbaMethods = ["token"]
///     private let services: AuthServices
///
///     init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
///         try options.allowOnly("issuer")
///         self.services = services
///     }
///
///     func authenticate(
///         _ attempt: LoginAttempt,
///         over dialogue: some ClientDialogue
///     ) async throws(AuthFailure) -> AuthenticatedIdentity {
///         let token = try await dialogue.requestCleartextPassword()
///         guard self.isValid(token) else {
///             throw .wrongPassword(of: attempt, reason: .passwordWrong, log: "token expired")
///         }
///         let method = attempt.rule.method
///         return AuthenticatedIdentity(user: attempt.user, credential: .none, provider: "token", method: method)
///     }
/// }
/// ```
public protocol AuthProvider: Sendable {
    /// The words of the hba method column that lead to this provider; at least one, in lower case.
    static var hbaMethods: [String] { get }

    /// What `SHOW AUTH_PROVIDERS`, the log and the audit stream call it; the first method word when left out. Providers
    /// of the same name are counted together. An identity's `provider` is the same word.
    static var name: String { get }

    /// The lane that its blocking calls and long computations run on, for `SHOW AUTH_PROVIDERS`; nil, when left out,
    /// for none.
    var lane: BlockingLane? { get }

    /// What its logins open servers with, for checks when settings load; nil, when left out, for providers that check
    /// secrets which the gateway keeps, and for those of which that cannot be told: nothing is checked then.
    var externalProof: ExternalProof? { get }

    /// Its methods take the option `map=`. May be left out: then they do not.
    static var takesMap: Bool { get }

    /// Called when settings load; bad options fail here, never at login.
    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError)

    /// The login of a provider that has nothing to wait for but the client, nil when only `authenticate` can tell.
    ///
    /// Asked first: a login that begins here needs no task. Gives the same questions and the same end as
    /// `authenticate` would. May be left out.
    func begin(_ attempt: LoginAttempt) throws(AuthFailure) -> LoginOpening?

    /// One login. Returns who the client is, or throws to refuse.
    ///
    /// Runs on the worker that owns the connection. Blocking calls and computations of a millisecond and more have to
    /// leave it, by a lane (`AuthServices.lanes`, `BlockingLane`): the task prefers the worker as its executor, so that
    /// async functions stay on the worker, those marked `@concurrent` included.
    ///
    /// When the client leaves or the login deadline passes, the dialogue throws by itself; what else a provider waits
    /// for goes on to its end, which it has to bound, and its verdict counts no more.
    /// The gateway sends AuthenticationOk and every ErrorResponse.
    ///
    /// A refusal has to look the same whether the user exists or not: same questions to the client, same failure.
    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity
}

extension AuthProvider {
    public static var name: String { Self.hbaMethods.first ?? "" }

    public static var takesMap: Bool { false }

    public var lane: BlockingLane? { nil }

    public var externalProof: ExternalProof? { nil }

    public func begin(_ attempt: LoginAttempt) throws(AuthFailure) -> LoginOpening? { nil }
}
