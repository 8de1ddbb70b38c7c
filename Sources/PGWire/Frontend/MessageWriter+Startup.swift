/// First packets of a connection, written by the gateway towards a server.
extension MessageWriter {
    /// Parameters in order; the final zero byte is added.
    package mutating func startupMessage(
        version: ProtocolVersion,
        parameters: [(name: String, value: String)]
    ) {
        self.beginUntagged()
        self.int32(version.code)
        for parameter in parameters {
            self.cString(parameter.name)
            self.cString(parameter.value)
        }
        self.uint8(0)
        self.end()
    }

    package mutating func sslRequest() {
        self.requestPacket(StartupPacket.sslRequestCode)
    }

    package mutating func gssEncRequest() {
        self.requestPacket(StartupPacket.gssEncRequestCode)
    }

    package mutating func cancelRequest(processID: Int32, secret: [UInt8]) {
        self.beginUntagged()
        self.int32(StartupPacket.cancelRequestCode)
        self.int32(processID)
        self.raw(secret)
        self.end()
    }

    private mutating func requestPacket(_ code: Int32) {
        self.beginUntagged()
        self.int32(code)
        self.end()
    }
}
