import AuthProviders
import PGWire
import Sessions

/// Questions and answers as messages (protocol chapter, "Start-up").
extension LoginQuestion {
    /// The authentication request.
    var encoded: [UInt8] {
        var writer = MessageWriter(reservingCapacity: 128)
        switch self {
        case .cleartextPassword: writer.authenticationCleartextPassword()
        case .md5Password(let salt): writer.authenticationMD5Password(salt: salt)
        case .sasl(let mechanisms): writer.authenticationSASL(mechanisms: mechanisms)
        case .saslContinue(let challenge): writer.authenticationSASLContinue(challenge)
        }
        return writer.bytes
    }

    /// Reads the body of the password message that answers this question.
    func answer(from body: consuming [UInt8]) throws(AuthFailure) -> LoginAnswer {
        switch self {
        case .cleartextPassword, .md5Password:
            return .password(try Self.password(from: body))
        case .sasl:
            let (mechanism, data) = try Self.saslInitial(from: body)
            return .saslInitial(mechanism: mechanism, data: data)
        case .saslContinue:
            return .sasl(body)
        }
    }

    /// PasswordMessage: text without its final NUL. Wipes `body`.
    static func password(from body: consuming [UInt8]) throws(AuthFailure) -> SecretBytes {
        guard body.last == 0, body.firstIndex(of: 0) == body.count - 1 else {
            throw .protocolViolation("malformed password message")
        }
        body.removeLast()
        return SecretBytes(wiping: &body)
    }

    /// SASLInitialResponse: mechanism and first data.
    static func saslInitial(from body: [UInt8]) throws(AuthFailure) -> (mechanism: String, data: [UInt8]?) {
        do throws(WireError) {
            var reader = ByteReader(body)
            let mechanism = try reader.cString()
            let length = try reader.int32()
            let data: [UInt8]? = length == -1 ? nil : try reader.bytes(Int(length))
            try reader.expectEnd()
            return (mechanism, data)
        } catch {
            throw .protocolViolation("malformed SASLInitialResponse message")
        }
    }
}
