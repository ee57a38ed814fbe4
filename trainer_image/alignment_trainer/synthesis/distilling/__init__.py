"""What teachers are asked in a stage of kind distill: answers, dialogues with a simulated user, new instructions."""
