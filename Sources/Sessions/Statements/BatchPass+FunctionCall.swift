/// FunctionCall: the function is named by its number.
extension BatchPass {
    /// - Parameter body: the part of the body that is there; `isWhole` says whether that is all of it.
    mutating func functionCall(
        _ bytes: borrowing Span<UInt8>,
        body: Range<Int>,
        isWhole: Bool,
        ledger: inout AnswerLedger
    ) -> Step {
        if self.server.script.hasOpenTokens { return .hold }
        if body.count >= 4 {
            self.mark(Self.traits(ofFunction: Self.number(bytes, at: body.lowerBound)))
        } else if !isWhole {
            return .wait
        }
        ledger.batchAnswered()
        ledger.querySent()
        self.server.script.pushTerminator(.functionCall)
        return .forward
    }

    /// What the functions of PostgreSQL's catalogue do to the session; the numbers are those of `pg_proc.dat`.
    private static func traits(ofFunction number: UInt32) -> StatementTraits {
        switch number {
        // set_config
        case 2078: .setConfig
        // pg_advisory_lock, pg_advisory_lock_shared and the two that try, by one key of eight bytes or two of four.
        case 2880...2883, 2886...2889: .advisoryLock
        default: []
        }
    }

    private static func number(_ bytes: borrowing Span<UInt8>, at start: Int) -> UInt32 {
        var number: UInt32 = 0
        for index in start..<(start &+ 4) { number = number << 8 | UInt32(bytes[index]) }
        return number
    }
}
