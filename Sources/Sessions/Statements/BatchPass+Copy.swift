import PGWire

/// What a client sends into a COPY that has begun: the server reads COPY data and nothing else.
extension BatchPass {
    /// Neither COPY data nor its end nor Sync, while the server waits for those.
    ///
    /// Nothing here may wait for the server's answer, which waits for the client. PostgreSQL steps over Flush, and
    /// breaks the connection over everything else (08P01), so that is passed on as it is. Only where the COPY has
    /// failed by the time the server reads it does the connection go on: behind the COPY of a Query the message is
    /// answered, behind that of an Execute it is skipped. The ledger has lost the count then, and the server stays with
    /// this client.
    mutating func withinCopy(_ header: MessageHeader, ledger: inout AnswerLedger) -> Step {
        switch header.kind {
        // Flush
        case 0x48:
            // With a body it is an error where there is no COPY any more.
            if header.bodyLength != 0 { ledger.extendedSent() }
            return .forward
        // Query, FunctionCall
        case 0x51, 0x46: ledger.querySent()
        default: ledger.extendedSent()
        }
        // It may be carried out under the client's own names: what comes next waits until that is over.
        self.server.mustSettle = true
        if self.server.script.isExecuteNext { return .forward }
        switch header.kind {
        case 0x51: self.server.script.pushTerminator(.query)
        case 0x46: self.server.script.pushTerminator(.functionCall)
        case 0x50: self.server.script.push(.parse)
        case 0x42: self.server.script.push(.bind)
        // The same message ends the answer for a statement and for a portal.
        case 0x44: self.server.script.push(.describePortal)
        case 0x45: self.server.script.push(.execute)
        default: self.server.script.push(.close)
        }
        return .forward
    }
}
