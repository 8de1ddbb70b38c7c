/// Answers to authentication requests. All share the kind byte `p`.
extension MessageWriter {
    /// - Parameter password: a plain password or an `md5...` response, without the zero byte.
    package mutating func passwordMessage(_ password: [UInt8]) {
        self.begin(FrontendMessageKind.password)
        self.cString(bytes: password)
        self.end()
    }

    /// - Parameter data: the client-first message; nil sends length -1.
    package mutating func saslInitialResponse(mechanism: String, data: [UInt8]?) {
        self.begin(FrontendMessageKind.password)
        self.cString(mechanism)
        self.lengthPrefixed(data)
        self.end()
    }

    package mutating func saslResponse(_ data: [UInt8]) {
        self.begin(FrontendMessageKind.password)
        self.raw(data)
        self.end()
    }
}
