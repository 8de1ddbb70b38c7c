import Glibc

/// Where the audit log goes. Immutable.
package enum AuditTarget: Sendable, Equatable {
    case standardError
    /// The system's logger, under the name `ident`, through the datagram socket at `path`.
    case syslog(ident: String, path: String)
    case file(String)

    package static let syslogPath = "/dev/log"
    package static let syslogIdent = "pggateway"

    /// The setting `audit_log`: `stderr`, `syslog`, else the path of a file.
    package init(_ text: String, ident: String?) {
        switch text {
        case "stderr": self = .standardError
        case "syslog": self = .syslog(ident: ident ?? Self.syslogIdent, path: Self.syslogPath)
        default: self = .file(text)
        }
    }

    package var description: String {
        switch self {
        case .standardError: "stderr"
        case .syslog(_, let path): "syslog (\(path))"
        case .file(let path): path
        }
    }
}

extension AuditTarget {
    /// Opens the target as it is opened for use, and closes it again. Of a file that does not exist only whether it
    /// could be made: that is for the start. Of a FIFO only whether it may be written to: whoever reads it would take
    /// an open and a close for its end, so that nobody might read it when it counts. Blocks on files.
    package func check() throws(AuditTargetError) {
        let descriptor: Int32
        switch self {
        case .standardError: return
        case .syslog(_, let path): descriptor = AuditOutput.connect(toSocketAt: path)
        case .file(let path):
            if Self.isFIFO(path) {
                guard unsafe access(path, W_OK) == 0 else { throw self.failure }
                return
            }
            descriptor = AuditOutput.openFile(path, makesIt: false)
        }
        guard descriptor < 0 else {
            _ = Glibc.close(descriptor)
            return
        }
        guard case .file(let path) = self, errno == ENOENT else { throw self.failure }
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        guard unsafe access(folder, W_OK | X_OK) == 0 else { throw self.failure }
    }

    private static func isFIFO(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
    }

    private var failure: AuditTargetError { AuditTargetError(target: self, reason: AuditOutput.systemText()) }
}

/// The audit log's target cannot be opened.
package struct AuditTargetError: Error, Sendable, Equatable, CustomStringConvertible {
    package let target: AuditTarget
    /// The system's words.
    package let reason: String

    package var description: String { "general.audit_log: cannot open \(self.target.description): \(self.reason)" }
}

/// What the settings say about the audit stream. Immutable.
package struct AuditOptions: Sendable, Equatable {
    /// Nil: no audit log.
    package var target: AuditTarget?
    /// Records that may wait for the writer.
    package var queueMax: Int
    /// Records that `SHOW AUDIT` can show; 0 keeps none.
    package var entriesMax: Int

    package init(target: AuditTarget?, queueMax: Int, entriesMax: Int) {
        self.target = target
        self.queueMax = queueMax
        self.entriesMax = entriesMax
    }
}
