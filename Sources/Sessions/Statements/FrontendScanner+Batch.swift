import PGWire

/// The scan of a client's messages where prepared statements are shared: as `scan`, but messages of the extended
/// protocol and simple queries pass through a `BatchPass`.
extension FrontendScanner {
    package struct BatchScan: Sendable {
        package enum Stop: Sendable {
            /// Everything that can be dealt with was; `direct`, if there is any, goes to the server.
            case none
            /// After what was collected, the bytes `direct` (none, when that alone is much) go to the server; then the
            /// scan goes on.
            case direct
            /// Answers to the client are due at once; then the scan goes on.
            case answer
            /// The next message waits for answers to earlier ones.
            case hold
            case terminate
            case invalidLength
            case invalidKind
            case nameTooLong
            /// The message at hand is to be dropped (`takeSkipped`); then the scan goes on.
            case skip
            /// A Parse does not fit into what is read at once: it is to be collected, then scanned alone.
            case collect
        }

        /// Bytes from the given offset on that are dealt with, `direct` included.
        package var taken: Int
        package var stop: Stop
        package var kind: UInt8 = 0
        package var direct: Range<Int> = 0..<0
    }

    /// Longer queries are not waited for: they pass without being looked into.
    static let collectedLimit = 32 * 1024
    /// When so much has been collected for the server, it goes out before the scan goes on.
    static let outputLimit = 256 * 1024
    /// Longer statements cannot be prepared.
    package static let parseLimit = 16 * 1024 * 1024

    package mutating func scan<Source>(
        _ bytes: borrowing Span<UInt8>,
        from offset: Int,
        pass: inout BatchPass<Source>,
        ledger: inout AnswerLedger
    ) -> BatchScan {
        var position = offset
        if self.bodyRemaining > 0, position < bytes.count {
            let end = position &+ min(self.bodyRemaining, bytes.count &- position)
            self.bodyRemaining &-= end &- position
            return BatchScan(taken: end &- offset, stop: .direct, direct: position..<end)
        }
        if self.bodyRemaining > 0 { return BatchScan(taken: 0, stop: .none) }
        while let header = MessageHeader.read(bytes, at: position) {
            // A short Bind brings its whole statement along where the server lacks that.
            if pass.out.count > Self.outputLimit { return BatchScan(taken: position &- offset, stop: .direct) }
            guard Self.isKnown(header.kind) else { break }
            guard Self.isLengthAllowed(header) else {
                return BatchScan(taken: position - offset, stop: .invalidLength, kind: header.kind)
            }
            if header.kind == Frontend.terminate { return BatchScan(taken: position - offset, stop: .terminate) }
            let step = self.step(bytes, at: position, header, pass: &pass, ledger: &ledger)
            let end = position &+ min(header.wireLength, bytes.count &- position)
            switch step {
            case .done: position = end
            case .forward, .forwardRest:
                var head = 0
                if case .forwardRest(let count) = step { head = count }
                if header.wireLength > bytes.count &- position || header.wireLength > Self.collectedLimit {
                    self.bodyRemaining = header.wireLength &- (end &- position)
                    let direct = (position &+ head)..<end
                    return BatchScan(taken: end &- offset, stop: .direct, direct: direct)
                }
                if end == bytes.count, pass.out.isEmpty {
                    // Nearly every simple query: the only message there is, and it goes on as it is.
                    return BatchScan(taken: end &- offset, stop: .none, direct: (position &+ head)..<end)
                }
                pass.append(bytes, (position &+ head)..<end)
                position = end
            case .answer: return BatchScan(taken: end &- offset, stop: .answer)
            case .wait:
                // A Parse that is longer than the buffer would never be whole in it.
                let isLong = header.kind == Frontend.parse && header.wireLength > Self.collectedLimit
                return BatchScan(taken: position - offset, stop: isLong ? .collect : .none)
            case .skip, .refused:
                self.skipMessage(header)
                return BatchScan(taken: position - offset, stop: .skip)
            case .hold:
                pass.prepareToHold()
                return BatchScan(taken: position - offset, stop: .hold)
            case .nameTooLong: return BatchScan(taken: position - offset, stop: .nameTooLong)
            }
        }
        if position < bytes.count, !Self.isKnown(bytes[position]) {
            return BatchScan(taken: position - offset, stop: .invalidKind, kind: bytes[position])
        }
        return BatchScan(taken: position - offset, stop: .none)
    }

    private func step<Source>(
        _ bytes: borrowing Span<UInt8>,
        at position: Int,
        _ header: MessageHeader,
        pass: inout BatchPass<Source>,
        ledger: inout AnswerLedger
    ) -> BatchPass<Source>.Step {
        switch header.kind {
        case Frontend.sync: return pass.sync(isMalformed: header.bodyLength != 0, ledger: &ledger)
        case Frontend.copyData: return pass.mustAwaitCopy(ledger) ? .hold : .forward
        case Frontend.copyDone, Frontend.copyFail:
            if pass.mustAwaitCopy(ledger) { return .hold }
            // Elsewhere it is stray, and means nothing.
            if ledger.isCopyIn {
                ledger.copyEndSent()
                pass.server.script.copyEndSent()
            }
            return .forward
        default: break
        }
        if ledger.isCopyIn { return pass.withinCopy(header, ledger: &ledger) }
        if ledger.isDoubtful { return pass.inquire(ledger: &ledger) }
        if pass.server.script.isSkipping { return .skip }
        if pass.mustHold { return .hold }
        if header.kind == Frontend.parse, header.wireLength > Self.parseLimit {
            ledger.extendedSent()
            _ = pass.refuse(StatementError.tooLong)
            return .skip
        }
        let available = bytes.count &- position
        let isWhole = header.wireLength <= available
        let body = (position &+ MessageHeader.size)..<(position &+ min(header.wireLength, available))
        if !isWhole, header.kind != Frontend.bind {
            // Queries that are too long to wait for are not looked into.
            if header.kind == Frontend.parse || header.wireLength <= Self.collectedLimit { return .wait }
        }
        let step: BatchPass<Source>.Step
        switch header.kind {
        case Frontend.query: return pass.query(bytes, body: body, isWhole: isWhole, ledger: &ledger)
        case Frontend.functionCall: return pass.functionCall(bytes, body: body, isWhole: isWhole, ledger: &ledger)
        case Frontend.flush: return pass.flush(isMalformed: header.bodyLength != 0, ledger: &ledger)
        case Frontend.parse: step = pass.parse(bytes, body: body)
        case Frontend.bind: step = pass.bind(bytes, body: body, header: header)
        case Frontend.describe: step = pass.describe(bytes, body: body, header: header)
        case Frontend.execute: step = pass.execute(bytes, body: body)
        default: step = pass.close(bytes, body: body)
        }
        switch step {
        case .done, .forward, .forwardRest, .refused: ledger.extendedSent()
        default: break
        }
        return step
    }
}

extension BatchPass {
    mutating func sync(isMalformed: Bool, ledger: inout AnswerLedger) -> Step {
        if isMalformed {
            if ledger.isDoubtful { return self.inquire(ledger: &ledger) }
            // It is answered by an error before its ReadyForQuery.
            ledger.extendedSent()
        }
        if !ledger.isCopyIn { self.server.script.pushTerminator(.sync) }
        ledger.syncSent()
        return .forward
    }

    /// The server has not said yet whether it wants COPY data. Sent before, they might be taken for stray ones or not,
    /// and so the Syncs around them.
    func mustAwaitCopy(_ ledger: borrowing AnswerLedger) -> Bool {
        !ledger.isCopyIn && !self.server.script.isEmpty
    }

    mutating func flush(isMalformed: Bool, ledger: inout AnswerLedger) -> Step {
        if isMalformed {
            ledger.extendedSent()
            return self.malformed()
        }
        if self.server.script.isAllInjected { return .answer }
        self.server.script.flushed()
        return .forward
    }
}
