import Glibc
import Logging
import Synchronization

/// The thread that writes the audit log. All its members belong to that thread; `@unchecked Sendable` for the way
/// there.
final class AuditWriter: @unchecked Sendable {
    private let trail: AuditTrail
    private var output: AuditOutput?
    /// Records that the log is missing since the last line that was written.
    private var missing = 0
    private var isFailing = false

    /// How often a target that took nothing is tried again while no new record comes.
    private static let retryMilliseconds = 1_000

    init(trail: AuditTrail) { self.trail = trail }

    /// False when the system has no thread left.
    func start() -> Bool {
        var handle = pthread_t()
        let argument = unsafe Unmanaged.passRetained(self).toOpaque()
        let result = unsafe pthread_create(&handle, nil, { argument in
            guard let argument = unsafe argument else { return nil }
            unsafe Unmanaged<AuditWriter>.fromOpaque(argument).takeRetainedValue().run()
            return nil
        }, argument)
        if result == 0 {
            _ = pthread_detach(handle)
            return true
        }
        unsafe Unmanaged<AuditWriter>.fromOpaque(argument).release()
        return false
    }

    private func run() {
        var isStopping = false
        while !isStopping {
            _ = self.trail.wake.wait(milliseconds: self.missing > 0 ? Self.retryMilliseconds : nil)
            var batch: ContiguousArray<AuditRecord> = []
            var overflow = 0
            self.trail.state.withLock { state in
                swap(&batch, &state.queue)
                swap(&overflow, &state.overflow)
                isStopping = state.isStopping
            }
            for record in batch { self.write(record) }
            // They came when the batch was full, so they are missing behind it.
            self.missing += overflow
            self.takeChange(isLast: true)
            if self.missing > 0 { _ = self.writeMissing() }
        }
        self.output?.close()
        self.trail.hasEnded.raise()
    }

    /// Goes on with another target: at once when there is a new one, else behind the records that came before.
    private func takeChange(isLast: Bool) {
        guard self.trail.hasChange.load(ordering: .acquiring) else { return }
        let (next, isOff) = self.trail.state.withLock { state -> (AuditOutput?, Bool) in
            // What has been queued since the batch was taken came before the end, too.
            let isOff = state.isOff && isLast && state.queue.isEmpty
            if isOff || !state.isOff { self.trail.hasChange.store(false, ordering: .relaxed) }
            defer { state.nextOutput = nil }
            return (state.nextOutput, isOff)
        }
        if let next {
            self.output?.close()
            self.output = next
            self.isFailing = false
        }
        if isOff {
            self.output?.close()
            self.output = nil
            self.missing = 0
        }
    }

    private func write(_ record: AuditRecord) {
        self.takeChange(isLast: false)
        guard self.output != nil else { return }
        // A gap is told of before what comes behind it.
        let isWhole = self.missing == 0 || self.writeMissing()
        if isWhole, self.put(record) { return }
        self.missing += 1
        self.trail.countDropped(1)
    }

    /// Says how many records are missing. False when that cannot be written, either.
    private func writeMissing() -> Bool {
        guard self.output != nil else { return false }
        let nobody = AuditSubject(connection: 0, address: .local, database: "", user: "")
        guard self.put(AuditRecord(nobody, .dropped(self.missing))) else { return false }
        self.trail.log.warning("audit records were dropped", metadata: ["records": .stringConvertible(self.missing)])
        self.missing = 0
        return true
    }

    private func put(_ record: AuditRecord) -> Bool {
        guard let output = self.output else { return false }
        let isWritten = output.write(record) { self.trail.hasChange.load(ordering: .acquiring) }
        if !isWritten, !self.isFailing {
            self.isFailing = true
            let target: Logger.MetadataValue = .string(output.target.description)
            let reason: Logger.MetadataValue = .string(AuditOutput.systemText())
            self.trail.log.error("the audit log cannot be written", metadata: ["target": target, "reason": reason])
        }
        if isWritten { self.isFailing = false }
        return isWritten
    }
}
