/// Authentication requests (`R`), written by the gateway towards a client.
extension MessageWriter {
    package mutating func authenticationOk() {
        self.authentication(AuthenticationCode.ok, [])
    }

    package mutating func authenticationCleartextPassword() {
        self.authentication(AuthenticationCode.cleartextPassword, [])
    }

    /// - Parameter salt: four bytes.
    package mutating func authenticationMD5Password(salt: [UInt8]) {
        self.authentication(AuthenticationCode.md5Password, salt)
    }

    /// Mechanism names in order of preference.
    package mutating func authenticationSASL(mechanisms: [String]) {
        self.begin(BackendMessageKind.authentication)
        self.int32(AuthenticationCode.sasl)
        for mechanism in mechanisms {
            self.cString(mechanism)
        }
        self.uint8(0)
        self.end()
    }

    package mutating func authenticationSASLContinue(_ data: [UInt8]) {
        self.authentication(AuthenticationCode.saslContinue, data)
    }

    package mutating func authenticationSASLFinal(_ data: [UInt8]) {
        self.authentication(AuthenticationCode.saslFinal, data)
    }

    private mutating func authentication(_ code: Int32, _ data: [UInt8]) {
        self.begin(BackendMessageKind.authentication)
        self.int32(code)
        self.raw(data)
        self.end()
    }
}
