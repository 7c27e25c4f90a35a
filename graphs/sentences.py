"""A small text of forty sentences on ten subjects, four each: what `semantic_search` searches by default."""

from __future__ import annotations

__all__ = ["QUERY", "SENTENCES"]

QUERY = "How do plants make use of sunlight?"

SENTENCES = (
    "A leaf turns light, water and air into sugar.",
    "Green pigment in the leaves catches the energy of the sun.",
    "Roots take up water and minerals from the soil.",
    "In autumn many trees lose their leaves to save water.",
    "The suspension bridge hangs from two steel cables.",
    "An arch carries its load by pressing its stones together.",
    "Engineers measured how far the deck sways in a storm.",
    "The old wooden bridge was closed to lorries last year.",
    "Knead the dough for ten minutes and let it rise until it has doubled.",
    "A pinch of salt brings out the sweetness of ripe tomatoes.",
    "Simmer the soup gently, or the vegetables will fall apart.",
    "Fresh bread is best on the day that it is baked.",
    "The train to the coast leaves every hour from platform four.",
    "A cancelled flight entitles passengers to a refund.",
    "Cyclists must give way at the crossing by the station.",
    "Traffic was held up for an hour by a fallen tree.",
    "The violin is tuned in fifths, from a low G to a high E.",
    "A drummer keeps the band together by marking the beat.",
    "The choir practises in the church hall on Thursdays.",
    "She wrote her first symphony at the age of nineteen.",
    "A schedule says which machine runs which job, and when.",
    "The compiler moved the addition out of the loop.",
    "A cache keeps what was used lately close at hand.",
    "Two threads that wait for each other will wait for ever.",
    "Interest is paid on the sum that is still owed.",
    "The bank refused the loan because the firm had no savings.",
    "Prices rose faster than wages for the third year running.",
    "Keep the receipt: you will need it for your tax return.",
    "Whales breathe air and must come to the surface.",
    "Ants find the shortest way by following one another's scent.",
    "An owl turns its head because its eyes cannot move.",
    "Swallows fly south before the first frost.",
    "Jupiter is heavier than all the other planets together.",
    "The moon always shows us the same side.",
    "A telescope on a mountain sees through less air.",
    "Light from the nearest star is four years old when it arrives.",
    "The doctor advised rest and plenty to drink.",
    "A vaccine shows the body what to look out for.",
    "Broken bones knit faster in the young than in the old.",
    "Wash your hands before you touch an open wound.",
)
