"""What is measured, and against whom: `load` (virtual users over sockets), `floor` (the least there is to do), `provider`, `workloads`."""
