"""What lies on a partition: readers of filesystems, and what differs between two views of one. Nothing is written."""
