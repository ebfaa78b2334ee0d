"""What programs are told and may tell: `message_receipts` (delivery reports of gateways)."""
