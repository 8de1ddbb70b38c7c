import PGWire
import Sessions
import Testing

@Suite struct ServerTransportTests {
    typealias Mode = ServerTransport.Mode

    private static let request = ServerScript.bytes { $0.sslRequest() }
    private static let stuffed = "received unencrypted data behind the answer to the request for TLS"

    private static func word(_ step: ServerTransport.Step) -> String {
        switch step {
        case .wait: "wait"
        case .send(let bytes): bytes == Self.request ? "ask" : "send \(bytes)"
        case .beginTLS: "TLS"
        case .beginLogin: "login"
        case .failed(let failure): failure.logText
        }
    }

    /// The macros of the tests cannot take a span.
    private static func receive(_ answer: String, _ transport: inout ServerTransport) -> String {
        Self.word(transport.receive(bytes(answer).span))
    }

    private static func transport(_ mode: Mode, _ negotiation: ServerTransport.Negotiation = .postgres)
        -> ServerTransport
    {
        ServerTransport(mode: mode, negotiation: negotiation, isUnixSocket: false)
    }

    /// The steps of one attempt with the server's answer to SSLRequest; a handshake succeeds.
    private static func play(_ transport: inout ServerTransport, _ answer: String) -> [String] {
        var words = [Self.word(transport.start())]
        if words == ["ask"] { words.append(Self.receive(answer, &transport)) }
        if words.last == "TLS" { words.append(Self.word(transport.tlsStarted())) }
        return words
    }

    private static func refusal(_ state: String?) throws -> ServerLoginFailure {
        let code = state.map { "C\($0)\0" } ?? ""
        return .serverError(try ServerMessageFields.decode(body: bytes("SFATAL\0\(code)Mno\0\0")))
    }

    @Test(arguments: Mode.allCases)
    func firstAttempts(mode: Mode) {
        var accepted = Self.transport(mode)
        var declined = Self.transport(mode)
        let (yes, no) = (Self.play(&accepted, "S"), Self.play(&declined, "N"))
        switch mode {
        case .disable, .allow:
            #expect(yes == ["login"] && no == ["login"] && !accepted.isEncrypted)
        case .prefer:
            #expect(yes == ["ask", "TLS", "login"] && accepted.isEncrypted)
            #expect(no == ["ask", "login"] && !declined.isEncrypted)
        case .require, .verifyCA, .verifyFull:
            #expect(yes == ["ask", "TLS", "login"] && accepted.isEncrypted)
            let text = "server does not support TLS, but server_tls_mode \(mode.rawValue) requires it"
            #expect(no == ["ask", text] && !declined.isEncrypted)
        }
    }

    @Test func directNegotiationAsksNobody() {
        for mode in [Mode.require, .verifyCA, .verifyFull] {
            var transport = Self.transport(mode, .direct)
            #expect(Self.play(&transport, "") == ["TLS", "login"] && transport.isEncrypted)
        }
        var weak = Self.transport(.prefer, .direct)
        #expect(Self.play(&weak, "S") == ["ask", "TLS", "login"])
    }

    @Test func unixSocketsNeverUseTLS() throws {
        for mode in Mode.allCases {
            for negotiation in ServerTransport.Negotiation.allCases {
                var transport = ServerTransport(mode: mode, negotiation: negotiation, isUnixSocket: true)
                #expect(Self.play(&transport, "S") == ["login"] && !transport.isEncrypted)
                #expect(try transport.retry(after: Self.refusal("28000")) == nil)
            }
        }
    }

    /// CVE-2021-23222: what follows the answer would pass for bytes out of the session.
    @Test func bytesStuffedBehindTheAnswerAreRefused() {
        for answer in ["S\u{16}", "SE", "SS", "NR", "N\0"] {
            var transport = Self.transport(.prefer)
            #expect(Self.play(&transport, answer) == ["ask", "server broke the protocol during login: \(Self.stuffed)"])
        }
    }

    /// What an ErrorResponse says here is not believed, and not shown.
    @Test func errorsInsteadOfAnAnswer() {
        for answer in ["E", "E\0\0\0\u{10}SFATAL\0Mgive up\0\0", "ENO"] {
            var transport = Self.transport(.require)
            #expect(Self.play(&transport, answer) == ["ask", "server answered the request for TLS with an error"])
        }
        for answer in ["s", "R", "\0", "\u{15}"] {
            var transport = Self.transport(.require)
            let words = Self.play(&transport, answer)
            #expect(words.last?.hasPrefix("server broke the protocol during login: server answered") == true)
        }
    }

    @Test func stepsOutOfOrderFail() {
        var early = Self.transport(.require)
        #expect(Self.receive("S", &early).contains("before it was asked"))
        var twice = Self.transport(.require)
        #expect(Self.play(&twice, "S") == ["ask", "TLS", "login"])
        #expect(Self.receive("S", &twice).contains("before it was asked"))
        #expect(Self.word(twice.tlsStarted()).contains("out of order"))
        #expect(Self.word(twice.start()).contains("used transport"))
        var unasked = Self.transport(.prefer)
        #expect(Self.word(unasked.tlsStarted()).contains("out of order") && !unasked.isEncrypted)
        var patient = Self.transport(.require)
        _ = patient.start()
        #expect(Self.receive("", &patient) == "wait")
        #expect(Self.receive("S", &patient) == "TLS")
    }

    @Test(arguments: [
        ("28000", true), ("28P01", true), ("08P01", true), ("0A000", true), (nil, true), ("53300", false),
        ("53400", false), ("57P03", false), ("57P01", false), ("22023", false), ("42704", false), ("3D000", false),
        ("57014", true),
    ])
    func allowTriesTLSAfterARefusal(state: String?, isTried: Bool) throws {
        var first = Self.transport(.allow)
        #expect(Self.play(&first, "") == ["login"])
        let failure = try Self.refusal(state)
        let retry = first.retry(after: failure)
        #expect((retry != nil) == isTried)
        guard var second = retry else { return }
        #expect(second.firstFailure == failure)
        #expect(Self.play(&second, "S") == ["ask", "TLS", "login"] && second.isEncrypted)
        #expect(second.retry(after: failure) == nil)
        // Without TLS there, the first answer stands.
        for answer in ["N", "E"] {
            var vain = try #require(first.retry(after: failure))
            #expect(Self.play(&vain, answer) == ["ask", failure.logText])
            #expect(vain.retry(after: failure) == nil)
        }
    }

    @Test func preferFallsBackToClearText() throws {
        var first = Self.transport(.prefer)
        #expect(Self.play(&first, "S") == ["ask", "TLS", "login"])
        for failure in [
            ServerLoginFailure.handshakeFailed("no shared cipher"), try Self.refusal("28000"), .tlsUnavailable("E"),
        ] {
            var second = try #require(first.retry(after: failure))
            #expect(Self.play(&second, "S") == ["login"] && !second.isEncrypted && second.firstFailure == failure)
            #expect(try second.retry(after: Self.refusal("28000")) == nil)
        }
        for failure in [
            try Self.refusal("28P01"), try Self.refusal("53300"), try Self.refusal(nil), .protocolViolation("x"),
            .credentialMissing(method: "md5"), .channelBindingMissing("x"), .serverSignatureInvalid,
        ] {
            #expect(first.retry(after: failure) == nil, "\(failure)")
        }
        var plain = Self.transport(.prefer)
        #expect(Self.play(&plain, "N") == ["ask", "login"])
        #expect(try plain.retry(after: Self.refusal("28000")) == nil)
    }

    /// Never in clear text where TLS is demanded, and never TLS where it is switched off.
    @Test func otherModesHaveOneAttempt() throws {
        let failures: [ServerLoginFailure] = [
            .handshakeFailed("x"), .tlsUnavailable("x"), try Self.refusal("28000"), try Self.refusal(nil),
        ]
        for mode in [Mode.disable, .require, .verifyCA, .verifyFull] {
            for failure in failures {
                var transport = Self.transport(mode)
                _ = Self.play(&transport, "S")
                #expect(transport.retry(after: failure) == nil)
            }
        }
        for failure in failures.prefix(2) {
            #expect(Self.transport(.allow).retry(after: failure) == nil)
        }
    }
}
