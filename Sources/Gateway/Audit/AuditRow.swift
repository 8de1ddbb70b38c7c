import Telemetry

/// A row of `SHOW AUDIT`: one record, with the fields of the audit log as columns. Immutable.
package struct AuditRow: ConsoleRow {
    /// The most rows that are shown, whatever is asked for: the audit log has them all.
    package static let rowsMax = 4096

    let record: AuditRecord

    init(_ record: AuditRecord) { self.record = record }

    /// `dropped` stands in the log only.
    package static let fields: [ConsoleField<Self>] = AuditField.all
        .filter { $0.events != [.dropped] }
        .map { field in
            switch field.kind {
            case .number: .number(field.name, field.meaning) { $0.number(field) }
            case .text, .flag: .text(field.name, field.meaning) { $0.text(field) }
            }
        }

    private func value(_ field: AuditField) -> AuditField.Value {
        field.events.contains(self.record.event) ? field.value(self.record) : .none
    }

    private func text(_ field: AuditField) -> String? {
        switch self.value(field) {
        case .text(let text): text
        case .flag(let flag): flag ? "t" : "f"
        case .number, .none: nil
        }
    }

    private func number(_ field: AuditField) -> Int? {
        if case .number(let number) = self.value(field) { Int(number) } else { nil }
    }
}
