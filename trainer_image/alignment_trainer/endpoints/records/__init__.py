"""What a stage has asked and what was answered, on the disk, so that nothing is paid twice."""
