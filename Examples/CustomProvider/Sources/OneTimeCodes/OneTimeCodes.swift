public import AuthProviders

/// hba method `otp`: codes from a file that work once. Option `codes=FILE`.
public struct OneTimeCodes: AuthProvider {
    public static let hbaMethods = ["otp"]
    /// One thread for the whole process: whoever takes a code has the file for itself.
    private static let thread = BlockingLane(name: "one-time codes", threads: 1, queueMax: 64)
    public var lane: BlockingLane? { Self.thread }
    private let file: CodeFile

    public init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly("codes")
        self.file = CodeFile(path: try options.required("codes"))
        do throws(CodeFile.Problem) {
            _ = try self.file.read()
        } catch {
            throw .invalidOption(method: options.method, name: "codes", reason: error.text)
        }
    }

    public func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        let code = try await dialogue.requestCleartextPassword()
        let (file, user) = (self.file, attempt.user)
        switch await Self.thread.run(within: .seconds(5), { file.take(code, of: user) }) {
        case .success(.success(true)):
            return AuthenticatedIdentity(user: user, credential: .none, provider: "otp", method: attempt.rule.method)
        case .success(.success(false)):
            throw .wrongPassword(of: attempt, reason: .proofWrong, log: "no such code for this user")
        case .success(.failure(let problem)): throw .unavailable(log: problem.text)
        case .failure(.cancelled): throw .clientLeft()
        case .failure(let refusal): throw .unavailable(log: "one-time codes: the lane is \(refusal)")
        }
    }
}
