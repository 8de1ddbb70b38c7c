import CPAM
import Glibc
import Sessions

/// hba method `pam`: the modules of a PAM service check the client's password, and whether the account may be used.
///
/// The client is asked for its password in clear text, once, before libpam is called; every prompt without echo gets
/// it. Sessions are not opened (`pam_open_session`), as in PostgreSQL. libpam blocks, so it runs in a lane.
struct PAMProvider: AuthProvider {
    static let hbaMethods = ["pam"]
    /// As in PostgreSQL.
    static let defaultService = "postgresql"
    /// In texts, and the kind of its lane.
    private static let library = "PAM"

    private let service: String
    private let asksHostName: Bool
    private let services: AuthServices

    var lane: BlockingLane? { self.services.lanes.lane(of: Self.library) }
    var externalProof: ExternalProof? { .clearPassword }

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly("pamservice", "pam_use_hostname")
        self.service = options.value("pamservice") ?? Self.defaultService
        self.asksHostName = try options.flag("pam_use_hostname") ?? false
        self.services = services
        if let problem = Self.problem(of: self.service) {
            throw .invalidOption(method: options.method, name: "pamservice", reason: problem)
        }
    }

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        let password = try await ExternalPassword.request(attempt, service: Self.library, over: dialogue)
        guard password.count < Int(PAM_MAX_RESP_SIZE) else {
            throw self.refused(attempt, .passwordWrong, "the password has more than \(PAM_MAX_RESP_SIZE - 1) bytes")
        }
        let conversation = PAMConversation(
            service: self.service,
            user: attempt.user,
            password: password,
            remoteHost: attempt.peerHost,
            asksHostName: self.asksHostName
        )
        switch try await self.services.lanes.run(Self.library, { conversation.run() }) {
        case .admitted: return ExternalPassword.identity(of: attempt, password: password, provider: "pam")
        case .refused(let reason, let text): throw self.refused(attempt, reason, text)
        case .unavailable(let text): throw .unavailable(log: "PAM service \"\(self.service)\": \(text)")
        }
    }

    private func refused(_ attempt: LoginAttempt, _ reason: AuthFailure.Reason, _ text: String) -> AuthFailure {
        .refused(attempt, by: Self.library, reason: reason, log: "service \"\(self.service)\": \(text)")
    }

    // MARK: Services

    /// Where libpam looks for the description of a service.
    private static let folders = ["/etc/pam.d", "/usr/lib/pam.d"]

    /// What is wrong with the name of a service, or nil. libpam takes the service `other` for one that does not exist,
    /// which may check something else than was meant, or nothing.
    private static func problem(of service: String) -> String? {
        let isName = service.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isName, !service.isEmpty, !service.hasPrefix("."), service.utf8.count <= 64 else {
            return "not the name of a PAM service"
        }
        let isThere = { (path: String) in unsafe access(path, F_OK) == 0 }
        // Without the folder libpam reads /etc/pam.conf.
        guard isThere("/etc/pam.d") else { return isThere("/etc/pam.conf") ? nil : "PAM is not set up here" }
        guard Self.folders.contains(where: { isThere("\($0)/\(service.lowercased())") }) else {
            return "there is no PAM service \"\(service)\": no file /etc/pam.d/\(service.lowercased())"
        }
        return nil
    }
}
