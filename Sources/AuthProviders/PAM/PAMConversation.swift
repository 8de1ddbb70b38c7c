import CPAM
import Glibc
import Sessions

/// One login through libpam. Immutable but for what happens within `run`, which blocks and belongs to one thread.
struct PAMConversation: Sendable {
    enum Verdict: Sendable {
        case admitted
        case refused(AuthFailure.Reason, String)
        /// Not the client's fault.
        case unavailable(String)
    }

    let service: String
    let user: String
    let password: SecretBytes
    /// For PAM_RHOST; nil for a unix socket.
    let remoteHost: String?
    /// PAM_RHOST is the client's host name if it has one.
    let asksHostName: Bool

    /// pam_authenticate and pam_acct_mgmt. Blocks.
    func run() -> Verdict {
        let answers = PAMAnswers(self.password)
        return withExtendedLifetime(answers) {
            var conversation = unsafe pam_conv(
                conv: answerPAM,
                appdata_ptr: Unmanaged.passUnretained(answers).toOpaque()
            )
            var handle: OpaquePointer?
            let started = unsafe pam_start(self.service, self.user, &conversation, &handle)
            guard started == PAM_SUCCESS, let handle = unsafe handle else {
                return .unavailable("pam_start: error \(started)")
            }
            var result = unsafe self.prepare(handle)
            var step = "pam_set_item"
            if result == PAM_SUCCESS {
                step = "pam_authenticate"
                result = unsafe pam_authenticate(handle, 0)
            }
            if result == PAM_SUCCESS {
                step = "pam_acct_mgmt"
                result = unsafe pam_acct_mgmt(handle, 0)
            }
            defer { _ = unsafe pam_end(handle, result) }
            if result == PAM_SUCCESS, unsafe !self.isStillNamed(handle) {
                return .refused(.userUnknown, "the modules have let in somebody of another name (PAM_USER)")
            }
            let text = unsafe pam_strerror(handle, result).map { unsafe String(cString: $0) } ?? "error \(result)"
            return Self.verdict(result, "\(step): \(text)\(answers.notes)")
        }
    }

    private func prepare(_ handle: OpaquePointer) -> Int32 {
        // Modules ask for seconds of delay after a failure. The gateway slows guessing by itself, without a thread.
        let noDelay: @convention(c) (Int32, UInt32, UnsafeMutableRawPointer?) -> Void = { _, _, _ in }
        let result = unsafe pam_set_item(handle, PAM_FAIL_DELAY, unsafeBitCast(noDelay, to: UnsafeRawPointer.self))
        guard result == PAM_SUCCESS, let remoteHost = self.remoteHost else { return result }
        let shown = self.asksHostName ? HostName.confirmed(of: remoteHost) ?? remoteHost : remoteHost
        return unsafe shown.withCString { text in unsafe pam_set_item(handle, PAM_RHOST, text) }
    }

    /// Whether the name that was asked for is that of the account which the modules have let in, byte by byte: rules,
    /// pools and `server_users` compare it so. Modules that find accounts without regard to case, or by another name of
    /// theirs, may say by PAM_USER which one they found.
    private func isStillNamed(_ handle: OpaquePointer) -> Bool {
        var item: UnsafeRawPointer?
        guard unsafe pam_get_item(handle, PAM_USER, &item) == PAM_SUCCESS, let name = unsafe item else { return false }
        return unsafe strcmp(name.assumingMemoryBound(to: CChar.self), self.user) == 0
    }

    private static func verdict(_ result: Int32, _ text: String) -> Verdict {
        switch result {
        case PAM_SUCCESS: .admitted
        case PAM_USER_UNKNOWN: .refused(.userUnknown, text)
        case PAM_AUTH_ERR, PAM_PERM_DENIED, PAM_MAXTRIES, PAM_NEW_AUTHTOK_REQD, PAM_ACCT_EXPIRED,
            PAM_CRED_EXPIRED, PAM_CRED_INSUFFICIENT, PAM_AUTHTOK_EXPIRED, PAM_CONV_ERR, PAM_IGNORE:
            .refused(.passwordWrong, text)
        // What pam_exec says whenever its program does not end well: guesses would go uncounted.
        case PAM_SYSTEM_ERR: .refused(.passwordWrong, text)
        default: .unavailable(text)
        }
    }
}

/// What modules get to know, and what they had to say. Used by one thread.
private final class PAMAnswers {
    private static let notesMax = 4
    private let password: SecretBytes
    private var said: [String] = []

    init(_ password: SecretBytes) { self.password = password }

    /// The texts of the modules, to be put behind another text.
    var notes: String {
        self.said.isEmpty ? "" : " (" + self.said.joined(separator: "; ") + ")"
    }

    /// A text meant for the user. Left out when the password stands in it.
    func note(_ text: String) {
        let bytes = Array(text.utf8)
        let isTold = unsafe self.password.lend { secret in
            let starts = 0..<max(bytes.count - secret.count + 1, 0)
            return starts.contains { unsafe bytes[$0...].starts(with: secret) }
        }
        guard self.said.count < Self.notesMax, !isTold else { return }
        self.said.append(ExternalPassword.excerpt(text))
    }

    /// A C string that libpam frees.
    func makePassword() -> UnsafeMutablePointer<CChar>? {
        guard let raw = unsafe calloc(self.password.count + 1, 1) else { return nil }
        unsafe self.password.lend { bytes in
            if let start = bytes.baseAddress { unsafe raw.copyMemory(from: start, byteCount: bytes.count) }
        }
        return unsafe raw.assumingMemoryBound(to: CChar.self)
    }
}

/// The conversation function (`pam_conv(3)`). As in PostgreSQL, prompts with echo fail: there is no one to ask.
private func answerPAM(
    _ count: Int32,
    _ messages: UnsafeMutablePointer<UnsafePointer<pam_message>?>?,
    _ answer: UnsafeMutablePointer<UnsafeMutablePointer<pam_response>?>?,
    _ data: UnsafeMutableRawPointer?
) -> Int32 {
    guard count > 0, count <= PAM_MAX_NUM_MSG, let messages = unsafe messages, let answer = unsafe answer,
        let data = unsafe data
    else { return PAM_CONV_ERR }
    let answers = unsafe Unmanaged<PAMAnswers>.fromOpaque(data).takeUnretainedValue()
    let size = unsafe MemoryLayout<pam_response>.stride
    guard let raw = unsafe calloc(Int(count), size) else { return PAM_BUF_ERR }
    let responses = unsafe raw.bindMemory(to: pam_response.self, capacity: Int(count))
    for index in 0..<Int(count) {
        let message = unsafe messages[index]?.pointee
        let style = unsafe message?.msg_style
        switch style {
        case PAM_PROMPT_ECHO_OFF?:
            if let password = unsafe answers.makePassword() {
                unsafe responses[index].resp = unsafe password
                continue
            }
        case PAM_ERROR_MSG?, PAM_TEXT_INFO?:
            if let text = unsafe message?.msg { unsafe answers.note(String(cString: text)) }
            continue
        default: break
        }
        unsafe discard(responses, count: index)
        return PAM_CONV_ERR
    }
    unsafe answer.pointee = unsafe responses
    return PAM_SUCCESS
}

/// Answers that nobody will get.
private func discard(_ responses: UnsafeMutablePointer<pam_response>, count: Int) {
    for index in 0..<count {
        guard let text = unsafe responses[index].resp else { continue }
        unsafe explicit_bzero(text, strlen(text))
        unsafe free(text)
    }
    unsafe free(responses)
}

/// Host names of clients.
private enum HostName {
    /// The name of an address in digits, if it has one that leads back to it. Blocks.
    static func confirmed(of address: String) -> String? {
        guard let name = Self.name(of: address) else { return nil }
        let isConfirmed = Self.addresses(of: name).contains(address)
        return isConfirmed ? name : nil
    }

    private static func name(of address: String) -> String? {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_NUMERICHOST
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(address, nil, &hints, &list) == 0, let first = unsafe list else { return nil }
        defer { unsafe freeaddrinfo(first) }
        return unsafe Self.text(first.pointee, flags: NI_NAMEREQD)
    }

    private static func addresses(of name: String) -> Set<String> {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(name, nil, &hints, &list) == 0, let first = unsafe list else { return [] }
        defer { unsafe freeaddrinfo(first) }
        var found: Set<String> = []
        var next: UnsafeMutablePointer<addrinfo>? = unsafe first
        while let entry = unsafe next {
            if let text = unsafe Self.text(entry.pointee, flags: NI_NUMERICHOST) { found.insert(text) }
            unsafe next = unsafe entry.pointee.ai_next
        }
        return found
    }

    private static func text(_ entry: addrinfo, flags: Int32) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let length = socklen_t(buffer.count)
        guard unsafe getnameinfo(entry.ai_addr, entry.ai_addrlen, &buffer, length, nil, 0, flags) == 0 else {
            return nil
        }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
