import Foundation
import Glibc
import Logging
import Testing

@testable import Telemetry

/// The stream as a whole: what the console sees, what comes out at a target, and what a target that takes nothing
/// costs.
@Suite struct AuditTrailTests {
    private static let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("audit-\(UUID())")

    private func path(_ name: String = "audit.json") throws -> String {
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
        return self.folder.appendingPathComponent(name).path
    }

    private func trail(_ target: AuditTarget?, queue: Int = 100, entries: Int = 4) throws -> AuditTrail {
        let trail = AuditTrail(log: Self.log)
        trail.apply(try AuditTrail.prepare(AuditOptions(target: target, queueMax: queue, entriesMax: entries)))
        return trail
    }

    private func record(_ number: Int32, isFailure: Bool = false) -> AuditRecord {
        let subject = AuditSubject(connection: number, address: .local, database: "d", user: "u")
        let refusal = isFailure ? AuditRefusal(code: "other", text: "t") : nil
        return AuditRecord(subject, .login(AuditLogin(refusal: refusal, durationMicroseconds: 0)))
    }

    /// `#c1`, or `dropped 3`, per line.
    private func told(_ path: String) throws -> [String] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.isEmpty || text.hasSuffix("\n"))
        return try text.split(separator: "\n").map { line in
            let fields = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            if let count = fields["dropped"] as? Int { return "dropped \(count)" }
            return try #require(fields["connection"] as? String)
        }
    }

    /// As the process does: a reader that is gone must not end it.
    init() { _ = signal(SIGPIPE, SIG_IGN) }

    private func makeFIFO() throws -> String {
        let path = try self.path("fifo")
        let result = unsafe mkfifo(path, 0o600)
        try #require(result == 0)
        return path
    }

    private func wait(until isTrue: () throws -> Bool) throws {
        let end = ContinuousClock.now + .seconds(10)
        while try !isTrue() {
            try #require(ContinuousClock.now < end)
            usleep(1000)
        }
    }

    private func numbers(_ records: [AuditRecord]) -> [Int32] { records.map(\.subject.connection) }

    @Test func theRingKeepsTheNewest() throws {
        let trail = try self.trail(nil)
        #expect(trail.isOn && trail.entryCount == 0)
        for number in 1...7 { trail.record(self.record(Int32(number), isFailure: number % 2 == 0)) }
        #expect(trail.entryCount == 4)
        #expect(self.numbers(trail.recent(100) { _ in true }) == [7, 6, 5, 4])
        #expect(self.numbers(trail.recent(2) { _ in true }) == [7, 6])
        #expect(self.numbers(trail.recent(1) { $0.isFailure }) == [6])
        #expect(trail.recent(0) { _ in true }.isEmpty)
        trail.stop(timeoutMilliseconds: 0)
    }

    @Test func theRingChangesItsSize() throws {
        let trail = try self.trail(nil)
        for number in 1...6 { trail.record(self.record(Int32(number))) }
        for (size, kept) in [(2, [6, 5]), (5, [6, 5]), (0, []), (3, [])] as [(Int, [Int32])] {
            trail.apply(try AuditTrail.prepare(AuditOptions(target: nil, queueMax: 1, entriesMax: size)))
            #expect(self.numbers(trail.recent(100) { _ in true }) == kept)
            #expect(trail.isOn == (size > 0))
        }
        trail.record(self.record(8))
        #expect(self.numbers(trail.recent(100) { _ in true }) == [8])
    }

    @Test func aLargeRingIsReadInParts() throws {
        let trail = try self.trail(nil, entries: 1000)
        for number in 1...1700 { trail.record(self.record(Int32(number))) }
        #expect(self.numbers(trail.recent(5000) { _ in true }) == (701...1700).reversed())
    }

    @Test func everyRecordIsALineOfTheFile() throws {
        let path = try self.path()
        let trail = try self.trail(.file(path), entries: 0)
        #expect(trail.isOn)
        for number in 1...50 { trail.record(self.record(Int32(number))) }
        trail.stop(timeoutMilliseconds: 5_000)
        #expect(try self.told(path) == (1...50).map { "#c\($0)" })
        #expect(trail.droppedCount == 0)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test func aFileIsAppendedToAndRotated() throws {
        let path = try self.path()
        try "{\"connection\":\"#c0\"}\n".write(toFile: path, atomically: true, encoding: .utf8)
        let options = AuditOptions(target: .file(path), queueMax: 10, entriesMax: 0)
        let trail = try self.trail(.file(path))
        trail.record(self.record(1))
        try self.wait { try self.told(path).count >= 2 }
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        trail.record(self.record(2))
        try self.wait { try self.told(path + ".1").count >= 3 }
        trail.apply(try AuditTrail.prepare(options))
        trail.record(self.record(3))
        trail.stop(timeoutMilliseconds: 5_000)
        #expect(try self.told(path + ".1") == ["#c0", "#c1", "#c2"])
        #expect(try self.told(path) == ["#c3"])
    }

    /// Again and again, for the end may come at any moment of the writer's work.
    @Test(arguments: 1...100) func switchedOffItWritesWhatCameBefore(attempt: Int) throws {
        let path = try self.path("attempt\(attempt)")
        let trail = try self.trail(.file(path), entries: 0)
        for number in 1...20 { trail.record(self.record(Int32(number))) }
        trail.apply(try AuditTrail.prepare(AuditOptions(target: nil, queueMax: 1, entriesMax: 0)))
        #expect(!trail.isOn)
        trail.record(self.record(99))
        trail.stop(timeoutMilliseconds: 5_000)
        #expect(try self.told(path) == (1...20).map { "#c\($0)" })
    }

    @Test func aTargetThatCannotBeOpenedIsAnError() throws {
        let folder = try self.path("folder")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let fifo = try self.makeFIFO()
        let cases: [AuditTarget] = [
            .file(folder), .file(folder + "/missing/audit.json"), .file(fifo), .syslog(ident: "x", path: fifo),
            .syslog(ident: "x", path: String(repeating: "x", count: 200)),
        ]
        for target in cases {
            let options = AuditOptions(target: target, queueMax: 1, entriesMax: 1)
            let error = #expect(throws: AuditTargetError.self) { try AuditTrail.prepare(options) }
            #expect(error?.description.contains(target.description) == true)
            #expect(error?.reason.isEmpty == false)
            // To look whether somebody reads a FIFO would end a reader.
            if target == .file(fifo) { continue }
            let told = #expect(throws: AuditTargetError.self) { try target.check() }
            #expect(told == error)
        }
    }

    /// Nobody reads the FIFO: recording goes on at once, what is too much is dropped and counted, and told later.
    @Test func aTargetThatTakesNothingStopsNobody() throws {
        let fifo = try self.makeFIFO()
        let reader = unsafe open(fifo, O_RDONLY | O_NONBLOCK)
        #expect(reader >= 0)
        let trail = try self.trail(.file(fifo), queue: 50)
        let count = 5_000
        for number in 1...count { trail.record(self.record(Int32(number))) }
        #expect(trail.droppedCount > 0)
        #expect(self.numbers(trail.recent(4) { _ in true }) == [5000, 4999, 4998, 4997])
        let text = self.drain(reader) { trail.stop(timeoutMilliseconds: 10_000) }
        _ = close(reader)
        let copy = try self.path("copy")
        try text.write(toFile: copy, atomically: true, encoding: .utf8)
        let told = try self.told(copy)
        let gaps = told.compactMap { $0.hasPrefix("dropped ") ? Int($0.dropFirst(8)) : nil }
        #expect(gaps.reduce(0, +) == trail.droppedCount)
        #expect(told.count - gaps.count == count - trail.droppedCount)
        #expect(told.first == "#c1")
    }

    /// Reads until the writers are gone, while `stop` runs elsewhere.
    private func drain(_ reader: Int32, while stop: @escaping @Sendable () -> Void) -> String {
        let hasStopped = DispatchSemaphore(value: 0)
        DispatchQueue.global().async {
            stop()
            hasStopped.signal()
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let size = chunk.count
            let result = unsafe read(reader, &chunk, size)
            if result > 0 {
                bytes += chunk.prefix(result)
            } else if result == 0 {
                break
            } else {
                usleep(1000)
            }
        }
        hasStopped.wait()
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func aStopWaitsNoLongerThanAllowed() throws {
        let fifo = try self.makeFIFO()
        let reader = unsafe open(fifo, O_RDONLY | O_NONBLOCK)
        let trail = try self.trail(.file(fifo), queue: 10_000)
        for number in 1...5_000 { trail.record(self.record(Int32(number))) }
        let began = ContinuousClock.now
        trail.stop(timeoutMilliseconds: 200)
        #expect(ContinuousClock.now - began < .seconds(5))
        _ = close(reader)
    }

    /// The disk is full: a device that takes nothing.
    @Test func aFullDiskIsSurvived() throws {
        let path = try self.path()
        let trail = try self.trail(.file("/dev/full"))
        for number in 1...10 { trail.record(self.record(Int32(number))) }
        try self.wait { trail.droppedCount >= 10 }
        trail.apply(try AuditTrail.prepare(AuditOptions(target: .file(path), queueMax: 10, entriesMax: 1)))
        trail.record(self.record(11))
        trail.stop(timeoutMilliseconds: 5_000)
        let told = try self.told(path)
        #expect(told == ["dropped 10", "#c11"] || told == ["#c11", "dropped 10"], "\(told)")
    }

    @Test func syslogGetsDatagramsAndMayStartAnew() throws {
        let path = try self.path("log")
        var socket = try self.listen(at: path)
        let trail = try self.trail(.syslog(ident: "gw", path: path))
        trail.record(self.record(1, isFailure: true))
        #expect(self.receive(socket).contains("\"connection\":\"#c1\""))
        _ = close(socket)
        try FileManager.default.removeItem(atPath: path)
        trail.record(self.record(2))
        try self.wait { trail.droppedCount >= 1 }
        socket = try self.listen(at: path)
        trail.record(self.record(3))
        var texts = [self.receive(socket), self.receive(socket)]
        texts.sort { $0.contains("dropped") && !$1.contains("dropped") }
        #expect(texts[0].contains("\"dropped\":1}"))
        #expect(texts[1].hasPrefix("<37>") && texts[1].contains(" gw[") && texts[1].contains("\"#c3\""))
        trail.stop(timeoutMilliseconds: 5_000)
        _ = close(socket)
    }

    private func listen(at path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
        return descriptor
    }

    private func receive(_ socket: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 8192)
        let size = bytes.count
        let count = unsafe recv(socket, &bytes, size, 0)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }
}
