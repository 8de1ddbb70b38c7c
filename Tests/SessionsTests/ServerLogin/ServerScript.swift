import PGWire
import Sessions

/// A login against a scripted server: what was sent to it, and how it ended.
struct ServerScript {
    private(set) var sent: [[UInt8]] = []
    private(set) var greeting: ServerGreeting?
    private(set) var failure: ServerLoginFailure?

    var isProtocolViolation: Bool {
        if case .protocolViolation = self.failure { true } else { false }
    }

    static func bytes(_ script: (inout MessageWriter) -> Void) -> [UInt8] {
        var writer = MessageWriter()
        script(&writer)
        return writer.bytes
    }

    static func run(
        _ credential: ServerCredential,
        version: ProtocolVersion = .v3_0,
        limits: ServerLoginLimits = ServerLoginLimits(),
        channelBinding: ServerLogin.ChannelBinding = .prefer,
        bindingData: [UInt8]? = nil,
        _ script: (inout MessageWriter) -> Void
    ) -> ServerScript {
        self.run(
            credential,
            version: version,
            limits: limits,
            channelBinding: channelBinding,
            bindingData: bindingData,
            bytes: self.bytes(script)
        )
    }

    /// Feeds the server's bytes to a login of `alice` at `shop` until it ends.
    static func run(
        _ credential: ServerCredential,
        version: ProtocolVersion = .v3_0,
        limits: ServerLoginLimits = ServerLoginLimits(),
        channelBinding: ServerLogin.ChannelBinding = .prefer,
        bindingData: [UInt8]? = nil,
        bytes: [UInt8]
    ) -> ServerScript {
        var result = ServerScript()
        var login = ServerLogin(
            user: "alice",
            database: "shop",
            credential: credential,
            protocol: version,
            limits: limits,
            channelBinding: channelBinding,
            bindingData: bindingData
        )
        _ = login.start()
        var assembler = MessageAssembler(maximumBodyLength: 65_536)
        assembler.append(bytes)
        while let message = try? assembler.next() {
            switch login.receive(message, nonce: Array("a".utf8)) {
            case .wait: continue
            case .send(let bytes): result.sent.append(bytes)
            case .ready(let greeting):
                result.greeting = greeting
                return result
            case .failed(let failure):
                result.failure = failure
                return result
            }
        }
        return result
    }

    static func passwordMessage(_ text: String) -> [UInt8] {
        self.bytes { writer in writer.passwordMessage(Array(text.utf8)) }
    }

    /// A credential by its kind; the SCRAM keys belong to salt `salt`, two iterations, and 100 times `x`.
    static func credential(_ kind: String) throws -> ServerCredential {
        switch kind {
        case "none": .none
        case "md5": .md5Hash(SecretBytes("4a0a68b43b6cd5cf266fa02f196e2371"))
        case "scram":
            .scramKeys(
                SCRAMKeys(
                    password: SecretBytes(SCRAMVector.longPassword.password),
                    salt: Array("salt".utf8),
                    iterations: 2
                )
            )
        default: .cleartext(SecretBytes(SCRAMVector.longPassword.password))
        }
    }
}
