import PGWire

/// What a client sends into a COPY that has begun, and behind one that has failed.
extension BatchPass {
    /// Neither COPY data nor its end nor Sync, while the server waits for those.
    ///
    /// PostgreSQL steps over Flush, and ends the session over everything else (08P01). But the COPY may have failed by
    /// the time the message is read, and then it is carried out or skipped like any other. It can neither wait for
    /// news, since the server waits for the client, nor go out before there are any. So in its place goes an empty
    /// message of its kind. Within COPY the kind is all that PostgreSQL reads of it; elsewhere it is malformed, which
    /// changes nothing, for the failure has ended or aborted the transaction. Either way an error comes of the COPY,
    /// and the message is held until then.
    mutating func withinCopy(_ header: MessageHeader, ledger: inout AnswerLedger) -> Step {
        // Flush. With a body it is an error where there is no COPY any more.
        if header.kind == Frontend.flush {
            if header.bodyLength != 0 { ledger.extendedSent() }
            return .forward
        }
        self.appendHeader(header.kind, bodyLength: 0)
        ledger.challengeSent()
        self.server.script.challengeSent(header.kind)
        self.server.mustSettle = true
        return .hold
    }

    /// A COPY has failed, and which of the Syncs behind it will be answered is not known: nothing goes on before it is.
    mutating func inquire(ledger: inout AnswerLedger) -> Step {
        // Asked already, or the server is about to end.
        if ledger.barrier != nil || self.server.script.inquiry.isEnding { return .hold }
        self.out.append(contentsOf: self.server.probe(ledger: &ledger))
        return .hold
    }
}
